//! nginx with the committed configuration, in a folder of the run.

use std::{
    fmt::Write,
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, bail};
use http::{HeaderMap, header::LAST_MODIFIED};

use super::material::{SIZES, sheet};
use crate::processes::Server;

const STARTS_WITHIN: Duration = Duration::from_secs(5);
/// Headers that nginx makes itself; the rest is given to it.
const OWN: [&str; 5] = ["content-length", "content-encoding", "content-type", "date", "last-modified"];

/// Starts nginx in `folder` with the headers of our answers.
pub(crate) fn start(folder: &Path, config: &Path, headers: &HeaderMap) -> anyhow::Result<Server> {
    let address = free_address()?;
    let headers_file = headers_file(headers)?;
    write(folder, "listen.conf", &format!("listen {address};\n"))?;
    write(folder, "headers.conf", &headers_file)?;
    fs::copy(config, folder.join("nginx.conf"))
        .with_context(|| format!("cannot copy {}", config.display()))?;
    fs::create_dir_all(folder.join("tmp"))?;
    let modified = headers.get(LAST_MODIFIED).context("our answer has no Last-Modified")?.to_str()?;
    let modified = httpdate::parse_http_date(modified)?;
    for size in SIZES {
        let sheet = sheet(size);
        let file = folder.join("www").join(size.path().trim_start_matches('/'));
        fs::create_dir_all(file.parent().context("a style sheet has no folder")?)?;
        write_dated(&file, &sheet.plain, modified)?;
        write_dated(&file.with_extension("css.gz"), &sheet.gzip, modified)?;
    }
    let mut nginx = Command::new("nginx");
    nginx.arg("-p").arg(folder).args(["-c", "nginx.conf", "-e", "stderr"]);
    if rustix::process::geteuid().is_root() {
        // Its workers would otherwise be users who cannot read the run's folder.
        nginx.args(["-g", "user root;"]);
    }
    let child = nginx.stdin(Stdio::null()).stdout(Stdio::null()).spawn().context("cannot start nginx")?;
    let server = Server::of_child(child, address);
    let started = Instant::now();
    while TcpStream::connect(address).is_err() {
        if started.elapsed() > STARTS_WITHIN {
            bail!("nginx does not answer at {address}");
        }
        sleep(Duration::from_millis(20));
    }
    Ok(server)
}

fn headers_file(headers: &HeaderMap) -> anyhow::Result<String> {
    let mut lines = String::new();
    for (name, value) in headers.iter().filter(|(name, _)| !OWN.contains(&name.as_str())) {
        let value = value.to_str()?.replace('\\', "\\\\").replace('"', "\\\"");
        writeln!(lines, "add_header {name} \"{value}\";")?;
    }
    Ok(lines)
}

fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0").context("no port is free")?.local_addr()?)
}

fn write(folder: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    fs::write(folder.join(name), text).with_context(|| format!("cannot write {name}"))
}

fn write_dated(path: &Path, body: &[u8], modified: SystemTime) -> anyhow::Result<()> {
    fs::write(path, body).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(fs::File::options().write(true).open(path)?.set_modified(modified)?)
}
