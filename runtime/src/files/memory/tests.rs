use super::*;

#[test]
fn memory_files_pass_the_suite() {
    crate::suite::files(&mut || Arc::new(MemoryFiles::new()));
}

#[test]
fn what_was_synced_survives_every_crash() {
    for survives in [
        Survives::Nothing,
        Survives::Everything,
        Survives::Random(1),
        Survives::Random(2),
    ] {
        let mut files = MemoryFiles::new();
        let mut first = true;
        crate::suite::synced_survives(&mut || {
            if !std::mem::take(&mut first) {
                files = files.crash(survives);
            }
            Arc::new(files.clone())
        });
    }
}

#[test]
fn what_was_not_synced_is_lost() {
    let files = MemoryFiles::new();
    let kept = files.create("kept").unwrap();
    kept.write_at(b"old", 0).unwrap();
    kept.sync_data().unwrap();
    files.sync_dir("").unwrap();
    kept.write_at(b"new", 0).unwrap();
    let unnamed = files.create("unnamed").unwrap();
    unnamed.write_at(b"x", 0).unwrap();
    unnamed.sync_data().unwrap();
    files.remove("kept").unwrap();

    let after = files.crash(Survives::Nothing);
    assert_eq!(after.list("").unwrap(), ["kept"]);
    let mut buf = [0; 3];
    after.open("kept").unwrap().read_at(&mut buf, 0).unwrap();
    assert_eq!(&buf, b"old");
    assert!(kept.read_at(&mut buf, 0).is_err(), "old handles are dead");
    assert!(files.list("").is_err());
}

#[test]
fn a_random_crash_may_tear_the_last_write_but_invents_nothing() {
    let mut lengths = std::collections::BTreeSet::new();
    for seed in 0..64 {
        let files = MemoryFiles::new();
        let file = files.create("f").unwrap();
        files.sync_dir("").unwrap();
        file.write_at(b"abcdefgh", 0).unwrap();
        let file = files.crash(Survives::Random(seed)).open("f").unwrap();
        let mut buf = vec![0; 8];
        let len = file.read_at(&mut buf, 0).unwrap();
        assert_eq!(&buf[..len], &b"abcdefgh"[..len]);
        lengths.insert(len);
    }
    assert!(lengths.contains(&0) && lengths.len() > 4, "{lengths:?}");
}

#[test]
fn a_full_tree_refuses_writes_and_keeps_reading() {
    let files = MemoryFiles::with_capacity(10);
    let file = files.create("f").unwrap();
    file.write_at(b"0123456789", 0).unwrap();
    assert_eq!(files.available_bytes().unwrap(), 0);
    let full = |result: io::Result<()>| result.unwrap_err().kind() == io::ErrorKind::StorageFull;
    assert!(full(file.write_at(b"x", 10)));
    assert!(full(file.set_len(11)));
    assert!(full(file.allocate(12)));
    file.write_at(b"X", 0).unwrap();
    assert_eq!(file.len().unwrap(), 10);
    file.set_len(4).unwrap();
    assert_eq!(files.available_bytes().unwrap(), 6);
    files.remove("f").unwrap();
    assert_eq!(files.available_bytes().unwrap(), 10);
}

/// Replaces a small file safely, with every call failing in turn: afterwards the old or the new
/// content is there, whole.
#[test]
fn an_atomic_replace_is_atomic_whichever_call_fails() {
    let replace = |files: &MemoryFiles| -> io::Result<()> {
        if files.list("")?.iter().any(|name| name == "new") {
            files.remove("new")?;
        }
        let file = files.create("new")?;
        file.write_at(b"second", 0)?;
        file.sync_data()?;
        files.rename("new", "state")?;
        files.sync_dir("")
    };
    let mut n = 0;
    loop {
        let files = MemoryFiles::new();
        let file = files.create("state").unwrap();
        file.write_at(b"first!", 0).unwrap();
        file.sync_data().unwrap();
        files.sync_dir("").unwrap();
        files.faults().fail_after(n);
        let result = replace(&files);
        for survives in [Survives::Nothing, Survives::Random(n)] {
            let copy = MemoryFiles {
                tree: Arc::new(Mutex::new(files.lock().clone())),
                faults: Arc::default(),
            };
            let mut buf = [0; 6];
            let after = copy.crash(survives).open("state").unwrap();
            assert_eq!(after.read_at(&mut buf, 0).unwrap(), 6);
            match result {
                Ok(()) => assert_eq!(&buf, b"second"),
                Err(_) => assert!(&buf == b"first!" || &buf == b"second"),
            }
        }
        if files.faults().calls() <= n {
            assert!(result.is_ok());
            break;
        }
        assert!(result.is_err());
        n += 1;
    }
    assert!(n >= 6, "every call was failed once, {n}");
}

#[test]
fn a_failed_sync_is_not_made_good_by_the_next() {
    let files = MemoryFiles::new();
    let file = files.create("f").unwrap();
    files.sync_dir("").unwrap();
    file.write_at(b"abc", 0).unwrap();
    files.faults().fail_after(0);
    assert!(file.sync_data().is_err());
    file.sync_data().unwrap();
    let after = files.crash(Survives::Nothing);
    assert_eq!(after.open("f").unwrap().len().unwrap(), 0);
}
