use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};
use jepsen::harness::{Git, free_address};

/// git's http-backend behind Apache, as git-http-backend(1) shows it.
#[derive(Debug)]
pub(crate) struct Apache {
    child: Child,
    address: String,
    root: PathBuf,
}

const MODULES: &[&str] = &[
    "mpm_prefork",
    "authn_core",
    "authz_core",
    "env",
    "alias",
    "cgi",
];

impl Apache {
    /// Starts Apache on a free port with one empty bare repository.
    pub(crate) fn start(place: &Path) -> anyhow::Result<Self> {
        ensure!(
            Path::new("/usr/sbin/apache2").exists(),
            "apache2 is not installed: `apt-get install apache2`, without starting its service"
        );
        let root = place.join("apache");
        let repositories = root.join("repositories");
        fs::create_dir_all(&repositories)?;
        // Its workers are another user.
        fs::set_permissions(place, fs::Permissions::from_mode(0o755))?;
        let address = free_address()?.to_string();
        let configuration = root.join("httpd.conf");
        fs::write(&configuration, configuration_text(&root, &address))?;
        let child = Command::new("/usr/sbin/apache2")
            .args(["-D", "FOREGROUND", "-f"])
            .arg(&configuration)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("start apache2")?;
        let apache = Self {
            child,
            address,
            root: repositories,
        };
        apache.make_repository("whole.git")?;
        apache.wait()?;
        Ok(apache)
    }

    /// The process group, for processor time.
    pub(crate) fn group(&self) -> u32 {
        self.child.id()
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The URL of a repository.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("http://{}/git/{name}", self.address)
    }

    /// Packs as a careful operator would: one pack, with bitmaps.
    pub(crate) fn repack(&self) -> anyhow::Result<()> {
        let git = Git::at(self.root.join("whole.git"));
        // The repository is Apache's by now.
        let run = |arguments: &[&str]| git.run(&[&["-c", "safe.directory=*"], arguments].concat());
        run(&["repack", "--quiet", "-a", "-d", "--write-bitmap-index"])?;
        run(&["commit-graph", "write", "--reachable"])?;
        self.own("whole.git")
    }

    fn make_repository(&self, name: &str) -> anyhow::Result<()> {
        let git = Git::init(self.root.join(name), true)?;
        git.run(&["config", "http.receivepack", "true"])?;
        git.run(&["config", "receive.fsckObjects", "true"])?;
        git.run(&["config", "core.fsync", "committed"])?;
        git.run(&["config", "repack.writeBitmaps", "true"])?;
        self.own(name)
    }

    /// Apache's workers do not run as root.
    fn own(&self, name: &str) -> anyhow::Result<()> {
        let status = Command::new("chown")
            .args(["-R", "www-data:www-data"])
            .arg(self.root.join(name))
            .status()?;
        ensure!(status.success(), "give the repository to www-data");
        Ok(())
    }

    fn wait(&self) -> anyhow::Result<()> {
        for _ in 0..100 {
            if TcpStream::connect(&self.address).is_ok() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        anyhow::bail!(
            "apache2 did not start; see {}/error.log",
            self.root.display()
        )
    }
}

impl Drop for Apache {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        // Its workers are in its group; nothing is left to lose.
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::TERM);
        drop(self.child.wait());
    }
}

fn configuration_text(root: &Path, address: &str) -> String {
    let modules: Vec<String> = MODULES
        .iter()
        .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so"))
        .collect();
    let root = root.display();
    format!(
        "ServerName localhost\nListen {address}\nServerRoot {root}\nPidFile {root}/pid\n\
         ErrorLog {root}/error.log\nUser www-data\nGroup www-data\n{}\n\
         SetEnv GIT_PROJECT_ROOT {root}/repositories\nSetEnv GIT_HTTP_EXPORT_ALL 1\n\
         SetEnvIf Git-Protocol \".*\" GIT_PROTOCOL=$0\nPassEnv PATH\n\
         ScriptAlias /git/ /usr/lib/git-core/git-http-backend/\n\
         <Directory \"/usr/lib/git-core\">\nRequire all granted\n</Directory>\n",
        modules.join("\n").replace(
            "LoadModule cgi_module",
            "LoadModule setenvif_module /usr/lib/apache2/modules/mod_setenvif.so\nLoadModule cgi_module"
        )
    )
}
