//! Three etcd processes on loopback, and a client as thin as ours.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use jepsen::harness::free_address;
use serde_json::Value;
use tonic::Status;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};

const START_DEADLINE: Duration = Duration::from_secs(30);

/// The processes, killed when dropped.
#[derive(Debug)]
pub(crate) struct Etcd {
    children: Vec<Child>,
    clients: Vec<String>,
}

impl Etcd {
    /// Starts three members, each with its own data directory, and all else as
    /// etcd has it by default.
    pub(crate) fn start(place: &Path) -> anyhow::Result<Self> {
        let mut peers = Vec::new();
        let mut clients = Vec::new();
        for _ in 0..3 {
            peers.push(format!("http://{}", free_address()?));
            clients.push(format!("http://{}", free_address()?));
        }
        let members: Vec<String> = peers
            .iter()
            .enumerate()
            .map(|(number, peer)| format!("m{number}={peer}"))
            .collect();
        let members = members.join(",");
        let mut etcd = Self {
            children: Vec::new(),
            clients,
        };
        for (number, peer) in peers.iter().enumerate() {
            let client = &etcd.clients[number];
            let name = format!("m{number}");
            let child = Command::new("etcd")
                .args(["--name", &name, "--log-level", "error"])
                .arg("--data-dir")
                .arg(place.join(format!("etcd{number}")))
                .args(["--listen-peer-urls", peer])
                .args(["--initial-advertise-peer-urls", peer])
                .args(["--listen-client-urls", client])
                .args(["--advertise-client-urls", client])
                .args(["--initial-cluster", &members])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .context("start etcd: is the package etcd-server installed?")?;
            etcd.children.push(child);
        }
        etcd.leader()?;
        Ok(etcd)
    }

    /// What its binary says that it is.
    pub(crate) fn version() -> anyhow::Result<String> {
        let output = Command::new("etcd").arg("--version").output()?;
        let text = String::from_utf8(output.stdout)?;
        Ok(text.lines().next().unwrap_or_default().to_owned())
    }

    /// The client address of the member that leads, when there is one.
    pub(crate) fn leader(&self) -> anyhow::Result<String> {
        let began = Instant::now();
        while began.elapsed() < START_DEADLINE {
            if let Ok(leader) = self.leader_now() {
                return Ok(leader);
            }
            thread::sleep(Duration::from_millis(200));
        }
        bail!("etcd has no leader after {START_DEADLINE:?}")
    }

    fn leader_now(&self) -> anyhow::Result<String> {
        let output = Command::new("etcdctl")
            .env("ETCDCTL_API", "3")
            .args(["--endpoints", &self.clients.join(",")])
            .args(["endpoint", "status", "--write-out", "json"])
            .output()
            .context("run etcdctl: is the package etcd-client installed?")?;
        ensure!(output.status.success(), "not all members answer");
        let members: Vec<Value> = serde_json::from_slice(&output.stdout)?;
        let leads = |member: &&Value| {
            let status = &member["Status"];
            status["leader"] == status["header"]["member_id"]
        };
        let leader = members.iter().find(leads).context("nobody leads")?;
        let address = leader["Endpoint"].as_str().context("no address")?;
        Ok(address.to_owned())
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        for child in &mut self.children {
            let ended = child.kill().and_then(|()| child.wait());
            if let Err(error) = ended {
                eprintln!("end etcd: {error}");
            }
        }
    }
}

/// One connection that puts.
#[derive(Clone, Debug)]
pub(crate) struct Putter(Grpc<Channel>);

impl Putter {
    /// Connects to a member.
    pub(crate) async fn connect(address: &str) -> anyhow::Result<Self> {
        let endpoint = Endpoint::from_shared(address.to_owned())?.tcp_nodelay(true);
        Ok(Self(Grpc::new(endpoint.connect().await?)))
    }

    /// Commits one value: `etcdserverpb.KV/Put`, whose request has the key as
    /// field 1 and the value as field 2.
    pub(crate) async fn put(&mut self, key: &[u8], value: &[u8]) -> anyhow::Result<()> {
        let mut request = BytesMut::new();
        for (field, content) in [(1, key), (2, value)] {
            request.put_u8(field << 3 | 2);
            let mut length = content.len();
            while length >= 0x80 {
                request.put_u8(u8::try_from(length & 0x7f)? | 0x80);
                length >>= 7;
            }
            request.put_u8(u8::try_from(length)?);
            request.put_slice(content);
        }
        self.0.ready().await?;
        let path = PathAndQuery::from_static("/etcdserverpb.KV/Put");
        let request = tonic::Request::new(request.freeze());
        self.0.unary(request, path, Raw).await?;
        Ok(())
    }
}

/// Messages as they are.
#[derive(Clone, Copy, Debug, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
