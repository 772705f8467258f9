use chunking::BlobId;
use domain::lfs::LfsObject;
use domain::limits::LFS_BATCH;
use frontend_ssh::Operation;
use git_wire::pkt::Packet;
use http::StatusCode;

use super::ask::Ask;
use super::session::{Fault, Say, Session, refused};
use crate::admission::Cost;
use crate::lfs::{LfsError, Receiving, no_object, open, parse_id};

/// Bytes of a packet of an object: as many as the longest may have, rounded down.
const PACKET_BYTES: usize = 65_000;

impl Session<'_> {
    /// What is to be done with each of the objects.
    pub(super) async fn batch(&mut self, ask: &Ask, unread: &mut bool) -> Result<(), Fault> {
        if ask
            .argument("hash-algo")
            .is_some_and(|hash| hash != "sha256")
        {
            return Err(refused(
                StatusCode::CONFLICT,
                "objects are named by their SHA-256 here: use hash-algo=sha256",
            ));
        }
        let mut wanted = Vec::new();
        while *unread && let Some(packet) = self.next(unread).await? {
            if wanted.len() == LFS_BATCH {
                let message = format!("a batch has at most {LFS_BATCH} objects");
                let error = LfsError::new(StatusCode::PAYLOAD_TOO_LARGE, message);
                return Err(Fault::Refused(error));
            }
            wanted.push(named(&packet).ok_or_else(unnamed)?);
        }
        let ids: Vec<BlobId> = wanted.iter().map(|object| object.id).collect();
        let turn = self.site.requests.enter(self.tenant, Cost::ONE).await?;
        let present = self.site.forge.lfs.find(self.repository.key, &ids).await?;
        drop(turn);
        let mut say = Say::status(StatusCode::OK);
        say.line(format_args!("hash-algo=sha256"));
        say.delimiter();
        for LfsObject { id, size } in wanted {
            let has = present.contains(&LfsObject { id, size });
            let action = match (self.operation, has) {
                (Operation::Download, true) => "download",
                (Operation::Upload, false) => "upload",
                _ => "noop",
            };
            say.line(format_args!("{id} {size} {action}"));
        }
        say.flush();
        self.say(&mut say).await.map_err(Fault::Over)
    }

    pub(super) async fn get_object(&mut self, ask: &Ask) -> Result<(), Fault> {
        let id = id(ask)?;
        let object = self.find(id).await?;
        let cost = Cost::of_fetch(Some(object.size));
        let _turn = self.site.fetches.enter(self.tenant, cost).await?;
        let mut download = open(self.site, &self.repository, id, 0..object.size).await?;
        let mut say = Say::status(StatusCode::OK);
        say.line(format_args!("size={}", object.size));
        say.delimiter();
        while let Some(bytes) = download.next().await.map_err(broken)? {
            for piece in bytes.chunks(PACKET_BYTES) {
                say.data(piece);
            }
            self.say(&mut say).await.map_err(Fault::Over)?;
        }
        say.flush();
        self.say(&mut say).await.map_err(Fault::Over)
    }

    pub(super) async fn put_object(&mut self, ask: &Ask, unread: &mut bool) -> Result<(), Fault> {
        self.must_write()?;
        let size = ask.argument("size").and_then(|size| size.parse().ok());
        let size = size.ok_or_else(|| LfsError::invalid("put-object takes size=BYTES"))?;
        let expected = LfsObject { id: id(ask)?, size };
        let cost = Cost::of_push(Some(size));
        let _turn = self.site.pushes.enter(self.tenant, cost).await?;
        let mut receiving = Receiving::begin(self.site, &self.repository, expected).await?;
        while *unread && let Some(packet) = self.next(unread).await? {
            let Packet::Data(bytes) = packet else {
                continue;
            };
            receiving.push(bytes).await?;
        }
        let finished = receiving.finish(self.site, &self.viewer, &self.repository);
        finished.await?;
        self.done().await
    }

    pub(super) async fn verify_object(&mut self, ask: &Ask) -> Result<(), Fault> {
        let object = self.find(id(ask)?).await?;
        let operand = ask.operands.get(1).map(String::as_str);
        let size = operand.or(ask.argument("size"));
        if size.and_then(|size| size.parse().ok()) != Some(object.size) {
            let message = format!("the object has {} bytes", object.size);
            let error = LfsError::new(StatusCode::CONFLICT, message);
            return Err(Fault::Refused(error));
        }
        self.done().await
    }

    async fn find(&mut self, id: BlobId) -> Result<LfsObject, Fault> {
        let _turn = self.site.requests.enter(self.tenant, Cost::ONE).await?;
        let lfs = &self.site.forge.lfs;
        let object = lfs.find(self.repository.key, &[id]).await?.pop();
        object.ok_or_else(|| Fault::Refused(no_object()))
    }
}

fn id(ask: &Ask) -> Result<BlobId, Fault> {
    let id = ask.operands.first().and_then(|text| parse_id(text));
    id.ok_or_else(unnamed)
}

fn unnamed() -> Fault {
    Fault::Refused(LfsError::invalid(
        "an object is named by its SHA-256 in lower case, and its size",
    ))
}

/// `OID SIZE`, and whatever else.
fn named(packet: &Packet) -> Option<LfsObject> {
    let line = str::from_utf8(packet.line()?).ok()?;
    let mut words = line.split(' ');
    Some(LfsObject {
        id: parse_id(words.next()?)?,
        size: words.next()?.parse().ok()?,
    })
}

/// What was sent of it is right, and its end is missing: the client must not take it for whole.
fn broken(error: storage_node_api::blob::DownloadError) -> Fault {
    tracing::warn!(%error, "a large file broke off");
    Fault::Over(git_serve::ServeError::ClientGone)
}
