use tempfile::TempDir;

use super::*;
use crate::suite::{self, ALPHA, FAMILIES, Victim};

#[test]
fn rocksdb_passes_the_suite() {
    let mut dirs = Vec::new();
    suite::conformance(&mut || {
        let dir = tempfile::tempdir().unwrap();
        let store = RocksDb::open(dir.path(), &FAMILIES).unwrap();
        dirs.push(dir);
        Arc::new(store)
    });
}

/// A database whose files are copied while it runs; a power failure is a copy whose write-ahead
/// log is cut somewhere after the last sync.
struct Disk {
    dir: TempDir,
    store: Arc<RocksDb>,
    synced: Option<(PathBuf, u64)>,
}

impl Disk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(RocksDb::open(dir.path(), &FAMILIES).unwrap());
        let mut disk = Self {
            dir,
            store,
            synced: None,
        };
        disk.synced();
        disk
    }

    fn newest_log(&self) -> (PathBuf, u64) {
        let logs = fs::read_dir(self.dir.path()).unwrap().map(Result::unwrap);
        let newest = logs
            .filter(|entry| entry.path().extension().is_some_and(|ext| ext == "log"))
            .max_by_key(fs::DirEntry::file_name)
            .unwrap();
        (newest.file_name().into(), newest.metadata().unwrap().len())
    }
}

impl Victim for Disk {
    fn store(&self) -> Arc<dyn KeyValue> {
        self.store.clone()
    }

    fn synced(&mut self) {
        self.synced = Some(self.newest_log());
    }

    fn crash(&mut self, seed: u64) {
        let copy = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(self.dir.path()).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
        let (log, len) = self.newest_log();
        let (synced_log, synced_len) = self.synced.clone().unwrap();
        assert_eq!(log, synced_log, "the cases are too short for a second log");
        let keep = synced_len + seed.wrapping_mul(0x9e37_79b9) % (len - synced_len + 1);
        let cut = fs::File::options().write(true).open(copy.path().join(log));
        cut.unwrap().set_len(keep).unwrap();
        self.dir = copy;
        self.store = Arc::new(RocksDb::open(self.dir.path(), &FAMILIES).unwrap());
        self.synced();
    }
}

#[test]
fn cut_logs_leave_a_prefix_of_whole_batches() {
    suite::crash(&mut || Box::new(Disk::new()), 0..8);
}

#[test]
fn damage_before_the_end_of_the_log_is_refused() {
    let mut disk = Disk::new();
    for i in 0..50_u8 {
        let mut batch = Batch::new();
        batch.put(ALPHA, vec![i], vec![i; 100]);
        disk.store.write(batch, Durability::Synced).unwrap();
    }
    disk.synced();
    let (log, len) = disk.newest_log();
    let Disk { dir, store, .. } = disk;
    drop(store);
    let path = dir.path().join(log);
    let mut bytes = fs::read(&path).unwrap();
    bytes[usize::try_from(len).unwrap() / 2] ^= 0xff;
    fs::write(&path, bytes).unwrap();

    let refused = RocksDb::open(dir.path(), &FAMILIES);
    assert!(
        matches!(refused, Err(OpenError::Store { .. })),
        "{refused:?}"
    );
    let tuning = Tuning {
        recovery: Recovery::GoBack,
        ..Tuning::default()
    };
    let back = RocksDb::open_tuned(dir.path(), &FAMILIES, tuning).unwrap();
    assert!(back.get(ALPHA, &[0]).unwrap().is_some());
    assert!(back.get(ALPHA, &[49]).unwrap().is_none());
}

#[test]
fn a_second_handle_and_a_newer_store_are_refused_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let first = RocksDb::open(dir.path(), &FAMILIES).unwrap();
    let second = RocksDb::open(dir.path(), &FAMILIES);
    assert!(
        matches!(second, Err(OpenError::Locked { .. })),
        "{second:?}"
    );
    let view = first.view();
    drop(first);
    let third = RocksDb::open(dir.path(), &FAMILIES);
    assert!(
        matches!(third, Err(OpenError::Locked { .. })),
        "a view keeps the store open"
    );
    drop(view);
    let older = RocksDb::open(dir.path(), &FAMILIES[..1]);
    let Err(OpenError::Newer { families, .. }) = older else {
        panic!("{older:?}");
    };
    assert_eq!(families, [FAMILIES[1].name()]);
    assert!(RocksDb::open(dir.path(), &FAMILIES).unwrap().memory_bytes() > 0);
}

#[test]
fn a_block_that_rotted_fails_its_read_and_the_store_is_known_to_be_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let store = RocksDb::open(dir.path(), &FAMILIES).unwrap();
    let mut batch = Batch::new();
    batch.put(ALPHA, b"key".to_vec(), vec![7; 1000]);
    store.write(batch, Durability::Synced).unwrap();
    drop(store);
    // Recovery writes what is in the log out to a table.
    drop(RocksDb::open(dir.path(), &FAMILIES).unwrap());
    let mut tables = 0;
    for entry in fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "sst") {
            let mut bytes = fs::read(&path).unwrap();
            bytes[20] ^= 1;
            fs::write(&path, bytes).unwrap();
            tables += 1;
        }
    }
    assert!(tables > 0, "there are no tables");
    let store = RocksDb::open(dir.path(), &FAMILIES).unwrap();
    assert!(!store.is_damaged());
    let read = store.get(ALPHA, b"key");
    assert!(matches!(read, Err(KvError::Read { .. })), "{read:?}");
    assert!(store.is_damaged());
}
