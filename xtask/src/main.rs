//! The chores of this repository, run through `./dev`.
//!
//! Without dependencies, so that it builds in a second before anything else.

#![expect(clippy::print_stdout, reason = "chores speak to a person")]
#![expect(clippy::disallowed_methods, reason = "chores read the environment")]

mod earlier;
mod edges;
mod licences;
mod run;
mod s3;
mod setup;
mod tidy;

use std::process::ExitCode;

type Chore = fn(&[String]) -> Result<(), String>;

/// Every chore: name, what it is for, what it runs.
const CHORES: &[(&str, &str, Chore)] = &[
    (
        "serve",
        "set up, build, and serve on 127.0.0.1:3000 (arguments go to `devflow serve`)",
        run::serve,
    ),
    (
        "test",
        "set up, check and test everything: what CI runs",
        run::test,
    ),
    (
        "setup",
        "install what building and testing need, and write .cargo/config.toml",
        |_| setup::all(),
    ),
    (
        "tidy",
        "check dependency edges, file sizes and licences",
        |_| run::checks(),
    ),
    (
        "advisories",
        "hold all dependencies against the RustSec database (fetched, or a directory)",
        run::advisories,
    ),
    (
        "clients",
        "real git against one node, and against three nodes and two frontends",
        run::clients,
    ),
    (
        "chaos",
        "faults against a cluster in use, and the verdict (--faults A,B --for 60s --seed N --page FILE)",
        run::chaos,
    ),
    (
        "s3",
        "the cold tier and backups against a real S3 server (moto, installed for it)",
        s3::s3,
    ),
    (
        "failover",
        "how long writes stand still when a leader is lost (--times N --partition)",
        run::failover,
    ),
    (
        "upgrade",
        "a rolling upgrade under load from an earlier release (--from REV|PATH)",
        run::upgrade,
    ),
    (
        "simulate",
        "the real nodes in one process under faults that follow a seed (--seed N --seeds COUNT)",
        run::simulate,
    ),
    (
        "model",
        "check the model of collection (a scenario, and how deep: `whole 1`)",
        run::model,
    ),
    (
        "git-suite",
        "git's own scripts against the bare-directory mode (path of a built git tree)",
        run::git_suite,
    ),
    (
        "bench",
        "measure beside git's http-backend and the raw disk (names of benches)",
        run::bench,
    ),
    (
        "figures",
        "measure the storage tier beside etcd, restic and the bare disk (names of figures; --help)",
        run::figures,
    ),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (name, rest) = match arguments.split_first() {
        Some((name, rest)) => (name.as_str(), rest),
        None => ("help", [].as_slice()),
    };
    let Some((_, _, chore)) = CHORES.iter().find(|(chore, _, _)| *chore == name) else {
        eprintln!("usage: ./dev CHORE [ARGUMENTS]\n");
        for (chore, purpose, _) in CHORES {
            eprintln!("  {chore:<10} {purpose}");
        }
        return if name == "help" {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
    };
    match chore(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("dev {name}: {message}");
            ExitCode::FAILURE
        }
    }
}
