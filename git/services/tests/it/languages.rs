use git_services::{Cache, CachedServices, Services, languages};

use crate::fixture::{NEVER, Repository};

#[test]
fn languages_are_counted_but_for_what_others_or_programs_wrote() {
    let repository = Repository::new();
    repository.write("src/main.rs", "x".repeat(30));
    repository.write("build.sh", "x".repeat(10));
    repository.write("odd/file.xyz", "x".repeat(5));
    repository.write("vendor/big.c", "x".repeat(999));
    repository.write("docs/site.html", "x".repeat(999));
    repository.write("api.pb.go", "x".repeat(999));
    repository.write("own/vendor/mine.py", "x".repeat(7));
    repository.write("README.md", "x".repeat(999));
    repository.write(
        ".gitattributes",
        "*.xyz linguist-language=Zig\nown/vendor/ -linguist-vendored\n",
    );
    repository.commit("all");
    let objects = repository.objects();
    let tree = repository.id("HEAD^{tree}");
    let found = languages(&objects, &tree, &NEVER).unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|size| (size.language.as_str(), size.bytes))
        .collect();
    let expected = [("Rust", 30), ("Shell", 10), ("Python", 7), ("Zig", 5)];
    assert_eq!(found, expected);
    let services = CachedServices {
        objects: &objects,
        cache: &Cache::default(),
        cancel: &NEVER,
    };
    let first = services.languages(&tree).unwrap();
    let second = services.languages(&tree).unwrap();
    assert!(
        std::sync::Arc::ptr_eq(&first, &second),
        "the second is remembered"
    );
}
