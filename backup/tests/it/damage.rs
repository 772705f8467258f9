use std::fs;

use backup::Silent;

use crate::world::{Place, World};

/// What is done to an object.
type Harm = fn(&mut Vec<u8>);

const HARMS: &[(&str, Option<Harm>)] = &[
    ("a bit of the first byte", Some(|bytes| bytes[0] ^= 1)),
    (
        "a bit in the middle",
        Some(|bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x40;
        }),
    ),
    (
        "a bit of the last byte",
        Some(|bytes| {
            let last = bytes.len() - 1;
            bytes[last] ^= 0x80;
        }),
    ),
    ("cut off", Some(|bytes| bytes.truncate(bytes.len() / 2))),
    ("emptied", Some(Vec::clear)),
    ("removed", None),
];

#[tokio::test]
async fn damage_of_any_object_is_found_by_verify_and_by_restore_which_name_it() {
    let (world, place) = (World::full().await, Place::in_a_directory());
    world.take(&place).await;
    let objects = place.objects();
    assert_eq!(objects.len(), 3, "a pack, its index, a backup");
    for object in &objects {
        let sound = fs::read(object).unwrap();
        let name = object.strip_prefix(place.path()).unwrap();
        let name = name.to_str().unwrap();
        for (what, harm) in HARMS {
            match harm {
                Some(harm) => {
                    let mut bytes = sound.clone();
                    harm(&mut bytes);
                    fs::write(object, bytes).unwrap();
                }
                None => fs::remove_file(object).unwrap(),
            }
            let id = (!name.starts_with("backups")).then_some(());
            let source = place.open();
            let verified = backup::verify(&source, world.rate(), None, &Silent).await;
            let error = verified.expect_err(what).to_string();
            let gone = id.is_none() && harm.is_none();
            assert!(gone || error.contains(name), "{what}, {name}: {error}");
            let restored = World::empty().restore(&place, None).await;
            let error = restored.expect_err(what).to_string();
            assert!(gone || error.contains(name), "{what}, {name}: {error}");
            fs::write(object, &sound).unwrap();
        }
    }
    let verified = backup::verify(&place.open(), world.rate(), None, &Silent).await;
    verified.unwrap();
}

#[tokio::test]
async fn a_backup_after_damage_uploads_again_what_is_damaged() {
    let (world, place) = (World::full().await, Place::in_a_directory());
    world.take(&place).await;
    for object in place.objects() {
        let sound = fs::read(&object).unwrap();
        if object.to_str().unwrap().contains("backups") {
            continue;
        }
        fs::write(&object, &sound[..sound.len() - 1]).unwrap();
        let taken = world.take(&place).await;
        let source = place.open();
        let verified = backup::verify(&source, world.rate(), Some(taken.id), &Silent).await;
        assert_eq!(verified.unwrap().totals, taken.totals);
    }
}
