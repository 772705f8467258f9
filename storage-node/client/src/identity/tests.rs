use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use runtime::{Clock, ManualClock, Runtime, Timestamp};
use storage_node_api::ClusterId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Authority, Identity, IdentityError, Peer, Protocol, Role};

const CLUSTER: ClusterId = ClusterId([0xc1; 16]);

fn clock() -> (Arc<dyn Clock>, ManualClock) {
    let (runtime, manual) = Runtime::simulated(1);
    (runtime.clock, manual)
}

/// Connects one identity to another; what each end sees, if bytes get through.
async fn meet(
    server: &Identity,
    client: &Identity,
    protocols: (Protocol, Protocol),
    clock: &Arc<dyn Clock>,
) -> Option<(Peer, Peer)> {
    let acceptor = server.acceptor(protocols.0, Arc::clone(clock)).unwrap();
    let connector = client.connector(protocols.1, Arc::clone(clock)).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serve = async {
        let (stream, _) = listener.accept().await.ok()?;
        let (mut stream, peer) = acceptor.accept(stream).await.ok()?;
        stream.write_all(b"welcome").await.ok()?;
        stream.shutdown().await.ok()?;
        Some(peer)
    };
    let connect = async {
        let (mut stream, peer) = connector.connect(&address).await.ok()?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.ok()?;
        (bytes == b"welcome").then_some(peer)
    };
    let (seen_by_server, seen_by_client) = tokio::join!(serve, connect);
    seen_by_client.zip(seen_by_server)
}

const CONTROL: (Protocol, Protocol) = (Protocol::Control, Protocol::Control);

#[tokio::test]
async fn parties_of_one_cluster_know_each_other() {
    let (clock, _) = clock();
    let authority = Authority::create(CLUSTER, clock.now()).unwrap();
    let node = authority.issue(Role::Node, "3", clock.now()).unwrap();
    let frontend = authority
        .issue(Role::Frontend, "web-1", clock.now())
        .unwrap();
    let met = meet(&node, &frontend, CONTROL, &clock).await;
    let (server, client) = met.unwrap();
    assert_eq!(server.to_string(), "node 3");
    assert_eq!(client.to_string(), "frontend web-1");
    let bulk = (Protocol::Bulk, Protocol::Bulk);
    assert!(meet(&node, &node, bulk, &clock).await.is_some());
    let mixed = (Protocol::Control, Protocol::Bulk);
    assert_eq!(meet(&node, &frontend, mixed, &clock).await, None);
}

#[tokio::test]
async fn a_frontend_cannot_pass_for_a_node() {
    let (clock, _) = clock();
    let authority = Authority::create(CLUSTER, clock.now()).unwrap();
    let node = authority.issue(Role::Node, "3", clock.now()).unwrap();
    let frontend = authority.issue(Role::Frontend, "3", clock.now()).unwrap();
    assert_eq!(meet(&frontend, &node, CONTROL, &clock).await, None);
}

#[tokio::test]
async fn a_foreign_or_expired_certificate_gets_nowhere() {
    let (clock, manual) = clock();
    let issue = |authority: &Authority| authority.issue(Role::Node, "1", clock.now()).unwrap();
    let authority = Authority::create(CLUSTER, clock.now()).unwrap();
    let node = issue(&authority);
    // Another cluster, and one that claims to be the same.
    for cluster in [ClusterId([0xc2; 16]), CLUSTER] {
        let foreign = issue(&Authority::create(cluster, clock.now()).unwrap());
        assert_eq!(meet(&node, &foreign, CONTROL, &clock).await, None);
        assert_eq!(meet(&foreign, &node, CONTROL, &clock).await, None);
    }
    let years = |years: u32| Duration::from_secs(365 * 24 * 60 * 60) * years;
    manual.advance(years(3));
    let renewed = issue(&authority);
    assert!(meet(&node, &renewed, CONTROL, &clock).await.is_some());
    manual.advance(years(3));
    assert_eq!(meet(&node, &renewed, CONTROL, &clock).await, None);
    assert_eq!(meet(&renewed, &node, CONTROL, &clock).await, None);
    // Not yet valid is not valid either.
    let early = Authority::create(CLUSTER, clock.now().plus(years(1))).unwrap();
    let early = early
        .issue(Role::Node, "1", clock.now().plus(years(1)))
        .unwrap();
    assert_eq!(meet(&early, &early, CONTROL, &clock).await, None);
}

#[tokio::test]
async fn without_a_certificate_there_is_no_connection() {
    let (clock, _) = clock();
    let authority = Authority::create(CLUSTER, clock.now()).unwrap();
    let node = authority.issue(Role::Node, "3", clock.now()).unwrap();
    let acceptor = node.acceptor(Protocol::Control, clock).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serve = async {
        let (stream, _) = listener.accept().await.unwrap();
        acceptor.accept(stream).await.is_err()
    };
    // Trusts the cluster, and shows nothing.
    let mut roots = rustls::RootCertStore::empty();
    roots.add(node.authority().unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let connect = async {
        let stream = TcpStream::connect(address).await.unwrap();
        let name = Role::Node.dns_name(CLUSTER).try_into().unwrap();
        let Ok(mut stream) = connector.connect(name, stream).await else {
            return true;
        };
        stream.read_u8().await.is_err()
    };
    assert_eq!(tokio::join!(serve, connect), (true, true));

    // Nor does one who speaks no TLS at all get an answer.
    let serve = async {
        let (stream, _) = listener.accept().await.unwrap();
        acceptor.accept(stream).await.is_err()
    };
    let connect = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\n").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.is_err() || bytes.len() < 10
    };
    assert_eq!(tokio::join!(serve, connect), (true, true));
}

#[test]
fn identities_are_kept_with_their_keys_closed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new");
    let now = Timestamp(1_700_000_000_000);
    let authority = Authority::create(CLUSTER, now).unwrap();
    authority.save(&path).unwrap();
    let authority = Authority::load(&path).unwrap();
    assert_eq!(authority.cluster(), CLUSTER);
    let identity = authority.issue(Role::Frontend, "web", now).unwrap();
    identity.save(&path).unwrap();
    let loaded = Identity::load(&path).unwrap();
    assert_eq!(
        (loaded.cluster(), loaded.peer()),
        (CLUSTER, identity.peer())
    );
    let shown = format!("{loaded:?} {authority:?}");
    assert!(!shown.contains("PRIVATE"), "{shown}");
    for file in ["cluster.key", "identity.key"] {
        let file = path.join(file);
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let open = std::fs::Permissions::from_mode(0o640);
        std::fs::set_permissions(&file, open).unwrap();
    }
    let refused = Identity::load(&path).unwrap_err();
    assert!(matches!(refused, IdentityError::Exposed { .. }));
    let refused = Authority::load(&path).unwrap_err();
    assert!(matches!(refused, IdentityError::Exposed { .. }));
    std::fs::write(path.join("cluster.crt"), "nonsense").unwrap();
    let refused = Authority::load(&path).unwrap_err();
    assert!(matches!(refused, IdentityError::Content { .. }));
    assert!(Authority::load(&path.join("none")).is_err());
}

#[test]
fn an_identity_of_another_cluster_than_its_authority_is_refused() {
    let now = Timestamp(1_700_000_000_000);
    let ours = Authority::create(CLUSTER, now).unwrap();
    let theirs = Authority::create(ClusterId([9; 16]), now).unwrap();
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    ours.issue(Role::Node, "1", now)
        .unwrap()
        .save(a.path())
        .unwrap();
    theirs.save(b.path()).unwrap();
    std::fs::copy(b.path().join("cluster.crt"), a.path().join("cluster.crt")).unwrap();
    let refused = Identity::load(a.path()).unwrap_err();
    assert!(matches!(refused, IdentityError::Foreign { .. }));
    assert!(ours.issue(Role::Node, "a.b", now).is_err());
}
