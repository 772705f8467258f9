//! Random fetches from random histories, answered here and by git's own
//! upload-pack: both refuse, or both send what the client lacks, with the same
//! shallow commits, in packs of nearly the same size.
//!
//! A short form runs by default; `cargo test -p git-serve --test it -- --ignored
//! differential` goes on for as many seeds as `SEEDS_OF_THE_LONG_FORM` says.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use bytes::BytesMut;
use git_serve::ProtocolVersion;
use git_wire::pkt::{put_data, put_delimiter, put_flush};

use crate::sandbox::Sandbox;
use crate::wire_client::{packets, raw_upload};

const FETCHES_PER_HISTORY: usize = 24;
const SEEDS_OF_THE_SHORT_FORM: std::ops::Range<u64> = 1..4;
const SEEDS_OF_THE_LONG_FORM: std::ops::Range<u64> = 100..200;

/// How much more bytes than git's answers ours may have, over all fetches of a
/// history.
const MOST_BYTES_PERCENT: usize = 110;

/// Numbers that follow a seed (Knuth's linear congruential generator).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }

    /// True once in so many times.
    fn once_in(&mut self, times: usize) -> bool {
        self.roll(times) == 0
    }

    fn some<'a>(&mut self, of: &'a [String], at_most: usize) -> BTreeSet<&'a str> {
        let count = self.roll(at_most + 1);
        (0..count)
            .map(|_| of[self.roll(of.len())].as_str())
            .collect()
    }
}

/// A script for `git fast-import`: three branches with merges, files that are
/// changed and deleted in directories of two levels.
fn history(dice: &mut Dice, commits: usize) -> String {
    let mut script = String::new();
    let mut tips = [0; 3];
    for number in 1..=commits {
        let branch = dice.roll(3);
        writeln!(script, "commit refs/heads/branch{branch}\nmark :{number}").unwrap();
        let when = 1_500_000_000 + number * 600;
        let head = format!("committer C <c@example.org> {when} +0000\ndata 2\nm\n");
        script.push_str(&head);
        let parent = match tips[branch] {
            0 => number - 1,
            tip => tip,
        };
        if parent > 0 {
            writeln!(script, "from :{parent}").unwrap();
            let other = tips[dice.roll(3)];
            if other > 0 && other != parent && dice.once_in(4) {
                writeln!(script, "merge :{other}").unwrap();
            }
        }
        for _ in 0..=dice.roll(3) {
            let path = format!(
                "dir{}/sub{}/file{}",
                dice.roll(3),
                dice.roll(3),
                dice.roll(5)
            );
            if number > 1 && dice.once_in(10) {
                writeln!(script, "D {path}").unwrap();
                continue;
            }
            let (version, lines) = (dice.roll(40), 20 + dice.roll(4) * 60);
            let text: String = (0..lines)
                .map(|line| format!("line {line} of {path} as of {}\n", version * (line % 9 / 8)))
                .collect();
            let size = text.len();
            writeln!(script, "M 644 inline {path}\ndata {size}\n{text}").unwrap();
        }
        tips[branch] = number;
        if dice.once_in(8) {
            writeln!(script, "tag v{number}\nfrom :{number}").unwrap();
            writeln!(script, "tagger T <t@example.org> {when} +0000\ndata 2\nt\n").unwrap();
        }
    }
    script
}

/// One served repository, and what may be asked of it.
struct Served {
    sandbox: Sandbox,
    path: PathBuf,
    /// Where packs are indexed; sees the served objects.
    scratch: PathBuf,
    hash: &'static str,
    commits: Vec<String>,
    tips: Vec<String>,
}

impl Served {
    fn random(dice: &mut Dice, hash: &'static str) -> Self {
        let sandbox = Sandbox::new();
        let path = sandbox.init("served.git", hash);
        let script = history(dice, 60);
        let import = ["fast-import", "--quiet", "--force"];
        sandbox
            .git_in(&path, &import, script.as_bytes())
            .expect_ok();
        sandbox.at(&path, &["repack", "-q", "-adf"]);
        for setting in ["allowFilter", "allowAnySHA1InWant"] {
            sandbox.at(&path, &["config", &format!("uploadpack.{setting}"), "true"]);
        }
        let scratch = sandbox.init("scratch.git", hash);
        let objects = path.join("objects");
        let alternates = scratch.join("objects/info/alternates");
        std::fs::write(alternates, format!("{}\n", objects.display())).unwrap();
        let lines = |arguments: &[&str]| -> Vec<String> {
            let out = sandbox.at(&path, arguments);
            out.lines().map(str::to_owned).collect()
        };
        let commits = lines(&["rev-list", "--all"]);
        let tips = lines(&["for-each-ref", "--format=%(objectname)"]);
        Self {
            path,
            scratch,
            hash,
            commits,
            tips,
            sandbox,
        }
    }

    /// The objects of a client that has these commits whole, but for what is
    /// behind the shallow ones.
    fn client_objects(&self, fetch: &Fetch) -> BTreeSet<String> {
        let shallow = self.sandbox.path("shallow");
        let lines: String = fetch.shallow.iter().map(|id| format!("{id}\n")).collect();
        std::fs::write(&shallow, lines).unwrap();
        let has = fetch.haves.iter().chain(&fetch.shallow);
        let input: String = has.map(|id| format!("{id}\n")).collect();
        let shallow = shallow.to_str().unwrap();
        let list = ["rev-list", "--objects", "--no-object-names", "--stdin"];
        let list = [&["--shallow-file", shallow], &list[..]].concat();
        let out = self.sandbox.git_in(&self.path, &list, input.as_bytes());
        out.expect_ok().lines().map(str::to_owned).collect()
    }

    /// The objects that a pack has itself, without those that make a thin one whole.
    fn objects_of(&self, pack: &[u8]) -> BTreeSet<String> {
        let index = ["index-pack", "--stdin", "--fix-thin"];
        let printed = self.sandbox.git_in(&self.scratch, &index, pack).expect_ok();
        let name = printed.split_whitespace().last().unwrap();
        let file = self.scratch.join(format!("objects/pack/pack-{name}.idx"));
        let file = std::fs::read(file).unwrap();
        let format = format!("--object-format={}", self.hash);
        let shown = self
            .sandbox
            .git_in(&self.path, &["show-index", &format], &file);
        let sent_end = pack.len() - if self.hash == "sha1" { 20 } else { 32 };
        let entry = |line: &str| {
            let mut words = line.split(' ');
            let offset: usize = words.next().unwrap().parse().unwrap();
            (offset < sent_end).then(|| words.next().unwrap().to_owned())
        };
        let objects: BTreeSet<String> = shown.expect_ok().lines().filter_map(entry).collect();
        let count = u32::from_be_bytes(pack[8..12].try_into().unwrap());
        assert_eq!(objects.len(), count as usize, "an object twice in a pack");
        objects
    }
}

/// What is asked.
#[derive(Debug, Default)]
struct Fetch {
    version: u8,
    wants: Vec<String>,
    haves: Vec<String>,
    shallow: Vec<String>,
    deepen: Vec<String>,
    filter: Option<String>,
    words: Vec<&'static str>,
}

impl Fetch {
    fn random(dice: &mut Dice, served: &Served) -> Self {
        let owned = |ids: BTreeSet<&str>| ids.into_iter().map(str::to_owned).collect();
        let mut wants = dice.some(&served.tips, 3);
        wants.insert(match dice.once_in(3) {
            true => &served.commits[dice.roll(served.commits.len())],
            false => &served.tips[dice.roll(served.tips.len())],
        });
        let mut fetch = Self {
            version: [0, 1, 2][dice.roll(3)],
            wants: owned(wants),
            ..Self::default()
        };
        if dice.once_in(2) {
            fetch.haves = owned(dice.some(&served.commits, 3));
        }
        if dice.once_in(4) {
            fetch.shallow = owned(dice.some(&served.commits, 2));
        }
        if dice.once_in(3) {
            // Not relative: what that means was mended in git 2.55.
            fetch.deepen = match dice.roll(3) {
                0 => vec![format!(
                    "deepen-since {}",
                    1_500_000_000 + dice.roll(60) * 600
                )],
                1 => vec![format!("deepen-not refs/heads/branch{}", dice.roll(3))],
                _ => vec![format!("deepen {}", 1 + dice.roll(8))],
            };
        }
        if dice.once_in(3) {
            let filters = [
                "blob:none",
                "blob:limit=2k",
                "tree:0",
                "tree:1",
                "tree:2",
                "object:type=commit",
                "object:type=tree",
                "combine:tree:3+blob:limit=3k",
            ];
            fetch.filter = Some(filters[dice.roll(filters.len())].to_owned());
        }
        for word in ["thin-pack", "ofs-delta", "include-tag", "no-progress"] {
            if dice.once_in(2) {
                fetch.words.push(word);
            }
        }
        fetch
    }

    /// The request as a stateless client sends it when it has said all.
    fn request(&self, hash: &str) -> Vec<u8> {
        let mut out = BytesMut::new();
        let mut line = |text: String| put_data(&mut out, format!("{text}\n").as_bytes());
        if self.version == 2 {
            line("command=fetch".to_owned());
            line(format!("object-format={hash}"));
            put_delimiter(&mut out);
            let mut line = |text: String| put_data(&mut out, format!("{text}\n").as_bytes());
            self.words.iter().for_each(|word| line((*word).to_owned()));
            self.wants.iter().for_each(|id| line(format!("want {id}")));
            self.common_lines().for_each(&mut line);
            self.haves.iter().for_each(|id| line(format!("have {id}")));
            line("done".to_owned());
            put_flush(&mut out);
            return out.to_vec();
        }
        for (at, id) in self.wants.iter().enumerate() {
            let filter = self.filter.as_ref().map_or("", |_| " filter");
            let words = self.words.join(" ");
            line(match at {
                0 => format!("want {id} side-band-64k {words}{filter} object-format={hash}"),
                _ => format!("want {id}"),
            });
        }
        self.common_lines().for_each(&mut line);
        put_flush(&mut out);
        let mut line = |text: String| put_data(&mut out, format!("{text}\n").as_bytes());
        self.haves.iter().for_each(|id| line(format!("have {id}")));
        line("done".to_owned());
        out.to_vec()
    }

    fn common_lines(&self) -> impl Iterator<Item = String> {
        let shallow = self.shallow.iter().map(|id| format!("shallow {id}"));
        let filter = self.filter.iter().map(|filter| format!("filter {filter}"));
        shallow.chain(self.deepen.iter().cloned()).chain(filter)
    }
}

/// What a server sent.
#[derive(Debug, Default)]
struct Answer {
    shallow: BTreeSet<String>,
    pack: Vec<u8>,
}

impl Answer {
    /// `None` for a refusal.
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut answer = Self::default();
        for packet in packets(bytes) {
            match packet.split_first() {
                Some((1, data)) => answer.pack.extend_from_slice(data),
                Some((3, _)) => return None,
                _ if packet.starts_with(b"shallow ") || packet.starts_with(b"unshallow ") => {
                    let line = String::from_utf8(packet).unwrap();
                    answer.shallow.insert(line.trim_end().to_owned());
                }
                _ => {}
            }
        }
        (!answer.pack.is_empty()).then_some(answer)
    }
}

fn git_answer(served: &Served, version: u8, request: &[u8]) -> Option<Answer> {
    let protocol = format!("GIT_PROTOCOL=version={version}");
    let arguments = ["upload-pack", "--stateless-rpc", "."];
    let out = served
        .sandbox
        .bytes_in(&served.path, &protocol, &arguments, request);
    Answer::read(&out)
}

fn our_answer(path: &Path, version: u8, request: &[u8]) -> Option<Answer> {
    let version = match version {
        0 => ProtocolVersion::V0,
        1 => ProtocolVersion::V1,
        _ => ProtocolVersion::V2,
    };
    Answer::read(&raw_upload(path, version, request).0)
}

/// Compares the answers to random fetches from one history.
fn compare(seed: u64) {
    let mut dice = Dice(seed);
    let served = Served::random(&mut dice, ["sha1", "sha256"][seed as usize % 2]);
    let (mut ours_bytes, mut git_bytes, mut answered) = (0, 0, 0);
    for number in 0..FETCHES_PER_HISTORY {
        let fetch = Fetch::random(&mut dice, &served);
        let request = fetch.request(served.hash);
        let which = || format!("seed {seed}, fetch {number}: {fetch:#?}");
        let git = git_answer(&served, fetch.version, &request);
        let ours = our_answer(&served.path, fetch.version, &request);
        let (git, ours) = match (git, ours) {
            (None, None) => continue,
            (Some(git), Some(ours)) => (git, ours),
            (git, _) => panic!("git answers: {}, {}", git.is_some(), which()),
        };
        assert_eq!(ours.shallow, git.shallow, "{}", which());
        let (ours_has, git_has) = (served.objects_of(&ours.pack), served.objects_of(&git.pack));
        let client_has = served.client_objects(&fetch);
        let differ: Vec<_> = ours_has
            .symmetric_difference(&git_has)
            .filter(|id| !client_has.contains(*id))
            .map(|id| (id, ours_has.contains(id)))
            .collect();
        assert!(
            differ.is_empty(),
            "(object, ours has it) {differ:?} {}",
            which()
        );
        ours_bytes += ours.pack.len();
        git_bytes += git.pack.len();
        answered += 1;
    }
    assert!(
        answered > FETCHES_PER_HISTORY / 2,
        "seed {seed}: {answered}"
    );
    assert!(
        ours_bytes * 100 <= git_bytes * MOST_BYTES_PERCENT,
        "seed {seed}: {ours_bytes} bytes, git {git_bytes}"
    );
}

#[test]
fn random_fetches_are_answered_as_git_answers_them() {
    SEEDS_OF_THE_SHORT_FORM.for_each(compare);
}

#[test]
#[ignore = "takes minutes"]
fn more_random_fetches_are_answered_as_git_answers_them() {
    SEEDS_OF_THE_LONG_FORM.for_each(compare);
}
