//! The least that a reader over TLS can do: a process that sends a file out of
//! the page cache, and a client that throws it away.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, ensure};
use clap::Args;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// What is read and written at a time.
const PIECE: usize = 256 << 10;
/// The name in the certificate.
const NAME: &str = "localhost";

/// What such a process is told.
#[derive(Clone, Debug, Args)]
pub(crate) struct SendArguments {
    /// The file that each connection gets, once.
    file: PathBuf,
}

/// Sends the file to whoever connects; prints its address and its certificate.
pub(crate) fn send(arguments: &SendArguments) -> anyhow::Result<()> {
    let runtime = super::clients()?;
    let made = rcgen::generate_simple_self_signed(vec![NAME.to_owned()])?;
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())
        .map_err(|reason| anyhow::anyhow!("make a key: {reason}"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let hex: String = certificate
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        println!("{} {hex}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let mut stream = acceptor.accept(stream).await?;
            let mut file = File::open(&arguments.file).await?;
            file.set_max_buf_size(PIECE);
            let mut piece = vec![0; PIECE];
            loop {
                let length = file.read(&mut piece).await?;
                if length == 0 {
                    break;
                }
                stream.write_all(&piece[..length]).await?;
            }
            stream.shutdown().await?;
        }
    })
}

/// The process, killed when dropped.
#[derive(Debug)]
pub(crate) struct Sender {
    child: Child,
    address: SocketAddr,
    config: Arc<ClientConfig>,
}

impl Sender {
    /// Starts it.
    pub(crate) fn start(file: &Path) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("send")
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let output = child.stdout.take().context("standard output is piped")?;
        BufReader::new(output).read_line(&mut line)?;
        let (address, hex) = line.trim().split_once(' ').context("it said nothing")?;
        let byte = |at| u8::from_str_radix(hex.get(at..at + 2).unwrap_or_default(), 16);
        let certificate: Result<Vec<u8>, _> = (0..hex.len()).step_by(2).map(byte).collect();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(certificate?))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            child,
            address: address.parse()?,
            config: Arc::new(config),
        })
    }

    /// Reads the file over a new connection.
    pub(crate) async fn read(&self, expected: u64) -> anyhow::Result<()> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let mut stream = connector
            .connect(ServerName::try_from(NAME)?, stream)
            .await?;
        let mut piece = vec![0; PIECE];
        let mut came = 0;
        loop {
            let length = stream.read(&mut piece).await?;
            if length == 0 {
                break;
            }
            came += length as u64;
        }
        ensure!(came == expected, "{came} of {expected} bytes came");
        Ok(())
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("end a process: {error}");
        }
    }
}
