//! A frontend that serves on a port of its own, and its world.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use domain::accounts::NewUser;
use domain::tokens::{NewToken, Scopes};
use domain::{Forge, PasswordCost, User};
use frontend::{CacheError, Config, Frontend, Listeners, Metrics};
use prometheus_client::registry::Registry;
use runtime::{ManualClock, Runtime};
use storage_node_api::Storage;
use storage_node_memory::MemoryStorage;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::http::{Answer, Request};

/// The password of every account.
pub(crate) const PASSWORD: &str = "correct horse";

pub(crate) struct TestForge {
    pub(crate) forge: Forge,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) address: SocketAddr,
    /// Where it speaks SSH.
    pub(crate) ssh: SocketAddr,
    /// By what its host keys are known.
    pub(crate) host_keys: Vec<String>,
    /// For clones and whatever a test needs.
    pub(crate) scratch: TempDir,
    caches: TempDir,
    stop: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<()>>,
}

impl TestForge {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts with a changed configuration.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let storage = Arc::new(MemoryStorage::new(Runtime::real()));
        Self::start_over(storage, change).await
    }

    /// Starts a frontend whose time passes as the test says; all else is real.
    pub(crate) async fn start_in_slow_motion() -> (Self, ManualClock) {
        Self::start_slowly_over(Arc::new(MemoryStorage::new(Runtime::real()))).await
    }

    /// The same over a storage of the test's own.
    pub(crate) async fn start_slowly_over(storage: Arc<dyn Storage>) -> (Self, ManualClock) {
        let (simulated, clock) = Runtime::simulated(1);
        let runtime = Runtime {
            clock: simulated.clock,
            ..Runtime::real()
        };
        (Self::start_in(runtime, storage, |_| {}).await, clock)
    }

    /// Starts over a storage of the test's own.
    pub(crate) async fn start_over(
        storage: Arc<dyn Storage>,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        Self::start_in(Runtime::real(), storage, change).await
    }

    async fn start_in(
        runtime: Runtime,
        storage: Arc<dyn Storage>,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let forge = Forge::new(Arc::clone(&storage), Runtime::real(), PasswordCost::Testing);
        forge.migrate().await.unwrap();
        let caches = TempDir::new().unwrap();
        let mut config = Config::for_testing(caches.path().join("first"));
        change(&mut config);
        let served = serve(config, Arc::clone(&storage), runtime).await;
        Self {
            forge,
            storage,
            address: served.http,
            ssh: served.ssh,
            host_keys: served.host_keys,
            scratch: TempDir::new().unwrap(),
            caches,
            stop: Some(served.stop),
            served: Some(served.task),
        }
    }

    /// Ends the frontend and starts another over the same storage, with the
    /// cache of that name.
    pub(crate) async fn restart(&mut self, cache: &str) {
        self.stop().await;
        let config = Config::for_testing(self.caches.path().join(cache));
        let served = serve(config, Arc::clone(&self.storage), Runtime::real()).await;
        (self.address, self.ssh) = (served.http, served.ssh);
        self.host_keys = served.host_keys;
        (self.stop, self.served) = (Some(served.stop), Some(served.task));
    }

    pub(crate) async fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.send(()).unwrap();
        }
        if let Some(served) = self.served.take() {
            served.await.unwrap();
        }
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.caches.path().join("first")
    }

    pub(crate) async fn user(&self, name: &str) -> User {
        self.account(name, false).await
    }

    pub(crate) async fn account(&self, name: &str, is_admin: bool) -> User {
        let email = format!("{name}@example.org");
        let new = NewUser {
            name,
            email: &email,
            full_name: "",
            password: PASSWORD,
            is_admin,
        };
        self.forge.accounts.create(new).await.unwrap()
    }

    /// A token of the account with these scopes.
    pub(crate) async fn token(&self, user: &User, scopes: &[&str]) -> String {
        let scopes = Scopes::parse(scopes.iter().copied()).unwrap();
        let name = format!(
            "{}",
            self.forge
                .tokens
                .list(
                    user.id,
                    domain::Slice {
                        limit: 50,
                        offset: 0
                    }
                )
                .await
                .unwrap()
                .total
        );
        let new = NewToken {
            name: &name,
            scopes,
            expires: None,
        };
        let (_, secret) = self.forge.tokens.create(user.id, new).await.unwrap();
        secret.reveal().to_owned()
    }

    /// The address that git uses, with the account's password in it.
    pub(crate) fn url(&self, user: &str, repository: &str) -> String {
        format!(
            "http://{user}:{}@{}/{repository}",
            PASSWORD.replace(' ', "%20"),
            self.address
        )
    }

    /// The address that git uses, without credentials.
    pub(crate) fn anonymous_url(&self, repository: &str) -> String {
        format!("http://{}/{repository}", self.address)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        Path::new(self.scratch.path()).join(name)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path)).await
    }

    pub(crate) async fn send(&self, request: Request) -> Answer {
        request.send(self.address).await
    }
}

struct Served {
    http: SocketAddr,
    ssh: SocketAddr,
    host_keys: Vec<String>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

async fn serve(config: Config, storage: Arc<dyn Storage>, runtime: Runtime) -> Served {
    let frontend = open(config, storage, runtime).await;
    let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ssh = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addresses = [&http, &ssh].map(|listener| listener.local_addr().unwrap());
    let door = frontend.open_ssh(ssh).await.unwrap();
    let host_keys = door.fingerprints().to_vec();
    let (stop, stopped) = oneshot::channel::<()>();
    let listeners = Listeners {
        http,
        ssh: Some(door),
    };
    let task = tokio::spawn(async move {
        let stopped = async {
            let _stop = stopped.await;
        };
        frontend.serve(listeners, stopped).await;
    });
    let [http, ssh] = addresses;
    Served {
        http,
        ssh,
        host_keys,
        stop,
        task,
    }
}

/// The tasks of a frontend before it may still be ending, and have its cache.
async fn open(config: Config, storage: Arc<dyn Storage>, runtime: Runtime) -> Frontend {
    for _ in 0..500 {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let config = config.clone().validate().unwrap();
        let storage = Arc::clone(&storage);
        match Frontend::new(
            config,
            storage,
            runtime.clone(),
            metrics,
            Arc::new(registry),
        ) {
            Ok(frontend) => return frontend,
            Err(CacheError::InUse(_)) => tokio::time::sleep(Duration::from_millis(10)).await,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the cache is in use for five seconds");
}
