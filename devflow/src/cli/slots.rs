//! The words of `devflow cluster slots`.

use clap::{Args, Subcommand};

use super::{ChangePolicies, Common};

/// Repositories are spread over 1,024 slots, and slots over groups. Each group has a log and a
/// leader of its own.
#[derive(Debug, Subcommand)]
pub(crate) enum SlotsCommand {
    /// Which group has which slots, and what is on its way.
    Show(ShowSlotsArguments),
    /// Spreads the slots evenly over so many groups; those that are lacking are made.
    Divide(DivideSlotsArguments),
    /// Moves slots to a group.
    Move(MoveSlotsArguments),
    /// Leaves where they are what has not begun to move.
    Stop(ChangePolicies),
}

#[derive(Debug, Args)]
pub(crate) struct ShowSlotsArguments {
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct DivideSlotsArguments {
    #[command(flatten)]
    pub(crate) change: ChangePolicies,
    /// How many groups there are to be
    pub(crate) groups: u16,
}

#[derive(Debug, Args)]
pub(crate) struct MoveSlotsArguments {
    #[command(flatten)]
    pub(crate) change: ChangePolicies,
    /// Which slots, the last one included: 17, or 0-255
    #[arg(value_parser = slots)]
    pub(crate) slots: (u16, u16),
    /// The group's number, as `show` prints it
    #[arg(long, value_name = "GROUP")]
    pub(crate) to: u64,
}

fn slots(text: &str) -> Result<(u16, u16), String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| {
        let number = text.parse::<u16>();
        number.map_err(|error| format!("slots are written FIRST-LAST: {error}"))
    };
    Ok((number(first)?, number(last)?))
}
