use git_id::RefName;

use super::world::{DOMAIN, World, command, push};
use crate::content::Certificate;
use crate::order::{Command, ProposeError, Refusal};
use crate::repository::{Commands, NewPack};
use crate::{DedupDomain, Effect, Generation, RepositoryId, Retry};

impl World {
    /// Pushes a pack and answers why it was refused; nothing of it is visible.
    async fn refused_pack(&self, id: RepositoryId, pack: NewPack) -> Refusal {
        let blob = pack.pack.id;
        let mut with_pack = push(id, vec![command("refs/heads/a", 0, 1)]);
        with_pack.pack = Some(pack);
        let refusal = self.refused(id.slot(), Command::Push(with_pack)).await;
        assert_eq!(self.packs(id).await.packs, []);
        assert_eq!(self.refs(id).await.refs, []);
        assert_eq!(self.manifest(id.slot(), blob).await, None);
        refusal
    }

    async fn quorum(&self) -> u32 {
        let map = self.storage.map().await.expect("the map is known");
        u32::try_from(map.quorum(DOMAIN)).expect("a quorum is small")
    }
}

pub(super) async fn a_pack_without_certificate_is_refused(world: World) {
    let id = world.create().await;
    let needed = world.quorum().await;
    let refusal = Refusal::NotDurable {
        chunk: 0,
        domains: 0,
        needed,
    };
    let mut bare_pack = world.pack(DOMAIN).await;
    bare_pack.pack.certificate = Certificate::default();
    assert_eq!(world.refused_pack(id, bare_pack).await, refusal);
    let mut bare_index = world.pack(DOMAIN).await;
    bare_index.index.certificate = Certificate::default();
    assert_eq!(world.refused_pack(id, bare_index).await, refusal);
}

pub(super) async fn a_certificate_short_of_the_quorum_is_refused(world: World) {
    let id = world.create().await;
    let needed = world.quorum().await;
    let mut short = world.pack(DOMAIN).await;
    let domains = needed - 1;
    for run in &mut short.pack.certificate.runs {
        run.holders.truncate(domains as usize);
    }
    let refusal = Refusal::NotDurable {
        chunk: 0,
        domains,
        needed,
    };
    assert_eq!(world.refused_pack(id, short).await, refusal);
}

pub(super) async fn chunks_of_another_domain_are_refused(world: World) {
    let id = world.create().await;
    let other = world.pack(DedupDomain(DOMAIN.0 + 1)).await;
    let refusal = world.refused_pack(id, other).await;
    assert_eq!(refusal, Refusal::SessionExpired);
}

pub(super) async fn an_old_session_is_refused(world: World) {
    let id = world.create().await;
    let mut old = world.pack(DOMAIN).await;
    let Some(before) = world.session(DOMAIN).await.generation.0.checked_sub(1) else {
        return; // Nothing is older than the first generation.
    };
    for receipt in &mut old.pack.certificate.receipts {
        receipt.generation = Generation(before);
    }
    let refusal = world.refused_pack(id, old).await;
    assert_eq!(refusal, Refusal::SessionExpired);
}

pub(super) async fn parts_that_were_not_staged_are_refused(world: World) {
    let id = world.create().await;
    let upload = world.upload_id();
    let mut unknown = push(id, Vec::new());
    unknown.commands = Commands::Staged { upload, parts: 1 };
    let refusal = world.refused(id.slot(), Command::Push(unknown)).await;
    assert_eq!(refusal, Refusal::NotStaged { upload, part: 0 });

    // Staged and given up.
    let commands = (0..200).map(|number| command(&format!("refs/heads/{number}"), 0, 1));
    let (commands, parts) = Commands::staged(commands.collect(), upload);
    for part in parts {
        world.done(id.slot(), part).await;
    }
    world.done(id.slot(), Command::Unstage(upload)).await;
    let mut given_up = push(id, Vec::new());
    given_up.commands = commands;
    let refusal = world.refused(id.slot(), Command::Push(given_up)).await;
    assert_eq!(refusal, Refusal::NotStaged { upload, part: 0 });
    assert_eq!(world.refs(id).await.refs, []);
}

pub(super) async fn a_command_larger_than_an_entry_is_refused(world: World) {
    let id = world.create().await;
    let long = "x".repeat(900);
    let commands = (0..100)
        .map(|number| {
            let mut command = command("refs/heads/a", 0, 1);
            let full = format!("refs/heads/{long}/{number}");
            command.name = RefName::new(&full).expect("a long name is valid");
            command
        })
        .collect();
    let large = Command::Push(push(id, commands));
    let result = world.request(id.slot(), world.request_id(), large).await;
    let error = result.expect_err("it is larger than an entry may be");
    assert!(matches!(error, ProposeError::TooLarge { bytes } if bytes > 90_000));
    assert_eq!(
        (error.effect(), error.retry()),
        (Effect::None, Retry::Never)
    );
    assert_eq!(world.refs(id).await.refs, []);
}
