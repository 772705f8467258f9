//! Checks a scenario further than the tests do.
//!
//! `cargo run -p jepsen-collection-model --example check -- whole 1` goes
//! through the states of two of everything with one generation more. A third
//! argument bounds the depth, for what cannot be gone through to the end.

#![expect(clippy::print_stdout, reason = "it reports to whoever runs it")]

use std::io::stdout;

use jepsen_collection_model::{Collection, Scenario};
use stateright::report::WriteReporter;
use stateright::{Checker, Model};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "whole".to_owned());
    let deeper = arguments.next().and_then(|text| text.parse().ok());
    let depth = arguments.next().and_then(|text| text.parse().ok());
    let named = Scenario::ALL
        .into_iter()
        .find(|scenario| format!("{scenario:?}").eq_ignore_ascii_case(&name));
    let Some(scenario) = named else {
        println!("which of {:?}?", Scenario::ALL);
        std::process::exit(2);
    };
    let model = Collection {
        bounds: scenario.bounds(deeper.unwrap_or(0)),
        without: None,
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut builder = model.checker().threads(threads);
    if let Some(depth) = depth {
        builder = builder.target_max_depth(depth);
    }
    let checker = builder
        .spawn_bfs()
        .report(&mut WriteReporter::new(&mut stdout()));
    checker.assert_properties();
    println!(
        "{scenario:?}: {} states, depth {}: nothing was found",
        checker.unique_state_count(),
        checker.max_depth()
    );
}
