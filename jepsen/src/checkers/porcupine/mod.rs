//! Porcupine, a checker of linearizability in Go, run by `go run`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use super::Registers;
use super::register::{Effect, Judgement};

const PROGRAM: &[(&str, &str)] = &[
    ("main.go", include_str!("main.go")),
    ("go.mod", include_str!("go.mod")),
    ("go.sum", include_str!("go.sum")),
];

/// The judge that we did not write.
#[derive(Debug)]
pub struct Porcupine {
    /// The compiled judge, and where it lives; nothing where there is no Go, or
    /// the module cannot be had.
    program: Option<(PathBuf, tempfile::TempDir)>,
}

impl Porcupine {
    /// Builds the judge, if this machine can; says on standard error why not.
    pub fn find() -> anyhow::Result<Self> {
        let place = tempfile::tempdir()?;
        for (name, text) in PROGRAM {
            std::fs::write(place.path().join(name), text)?;
        }
        let built = Command::new("go")
            .args(["build", "-o", "judge", "."])
            .current_dir(place.path())
            .output();
        let problem = match built {
            Ok(output) if output.status.success() => {
                return Ok(Self {
                    program: Some((place.path().join("judge"), place)),
                });
            }
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        eprintln!("porcupine is not to be had (go build: {problem}); our own judge judges alone");
        Ok(Self { program: None })
    }

    /// Whether it is there.
    pub fn is_there(&self) -> bool {
        self.program.is_some()
    }

    /// Its judgement of each register; nothing where it is not to be had.
    pub fn judge(
        &self,
        registers: &Registers,
    ) -> anyhow::Result<Option<BTreeMap<String, Judgement>>> {
        let Some((program, _)) = &self.program else {
            return Ok(None);
        };
        let mut child = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("run porcupine")?;
        let mut input = child.stdin.take().context("standard input is piped")?;
        input.write_all(&serde_json::to_vec(&encode(registers))?)?;
        drop(input);
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "porcupine: {}", output.status);
        let words: BTreeMap<String, String> = serde_json::from_slice(&output.stdout)?;
        let judged = words.into_iter().map(|(key, word)| {
            let judgement = match word.as_str() {
                "Ok" => Judgement::Linearizable,
                "Illegal" => Judgement::Not,
                _ => Judgement::TooHard,
            };
            (key, judgement)
        });
        Ok(Some(judged.collect()))
    }
}

/// Calls as the program reads them.
fn encode(registers: &Registers) -> BTreeMap<&str, Vec<[i64; 5]>> {
    let time = |us: u64| i64::try_from(us).unwrap_or(i64::MAX);
    let encoded = registers.iter().map(|(key, calls)| {
        let calls = calls.iter().map(|call| {
            let (kind, first, second) = match call.effect {
                Effect::Read(value) => (0, value, 0),
                Effect::Swap(old, new) => (1, old, new),
                Effect::Overwrite(new) => (2, new, 0),
            };
            let completed = call.completed.map_or(-1, time);
            [
                time(call.invoked),
                completed,
                kind,
                first.into(),
                second.into(),
            ]
        });
        (key.as_str(), calls.collect())
    });
    encoded.collect()
}
