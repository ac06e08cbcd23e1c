//! What a visitor's browser makes of `dev`'s answers: headless Chromium on pages of the test's own, which
//! tell the test how they look.

use std::{
    fs,
    path::Path,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    response::Html,
    routing::{get, post},
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    sync::mpsc::{Receiver, Sender, channel},
    time::timeout,
};

use crate::process::{Dev, site};

/// A browser's first start on a busy machine takes long.
const PATIENCE: Duration = Duration::from_mins(1);

const RED: &str = "rgb(255, 0, 0)";
const BLUE: &str = "rgb(0, 0, 255)";

/// A page on a server of its own, open in a browser.
pub(crate) struct Page {
    looks: Receiver<Value>,
    loads: Arc<AtomicUsize>,
    browser: Child,
    _profile: TempDir,
}

#[derive(Clone)]
struct Server {
    html: String,
    looks: Sender<Value>,
    loads: Arc<AtomicUsize>,
}

impl Page {
    /// With these elements in its head, or where they are none of a head, before its text.
    pub(crate) async fn open(head: &str) -> Self {
        Self::open_at(TcpListener::bind("127.0.0.1:0").await.unwrap(), head, Router::new())
    }

    /// On a server that has more to give.
    pub(crate) fn open_at(listener: TcpListener, head: &str, more: Router) -> Self {
        let (sender, looks) = channel(100);
        let loads = Arc::new(AtomicUsize::new(0));
        let html =
            format!("<!doctype html><html><head>{head}</head><body><p>A page.</p>{TELL}</body></html>");
        let server = Server { html, looks: sender, loads: loads.clone() };
        let routes =
            Router::new().route("/", get(page)).route("/look", post(look)).with_state(server).merge(more);
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        let profile = tempfile::tempdir().unwrap();
        let browser = browser(profile.path()).arg("--remote-debugging-port=0").arg(url).spawn();
        let browser = browser.expect("chromium is missing: `cargo xtask test` installs it");
        Self { looks, loads, browser, _profile: profile }
    }

    /// Waits until the page looks so.
    pub(crate) async fn until(&mut self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let looks = async {
            while let Some(look) = self.looks.recv().await {
                if is_so(&look) {
                    return look;
                }
                last = look;
            }
            panic!("the page's server ended");
        };
        let found = timeout(PATIENCE, looks).await;
        found.unwrap_or_else(|_| panic!("the page never showed {what}; it last was {last}"))
    }

    fn loads(&self) -> usize {
        self.loads.load(Ordering::SeqCst)
    }

    pub(crate) async fn close(mut self) {
        self.browser.kill().await.unwrap();
    }
}

async fn page(State(server): State<Server>) -> Html<String> {
    server.loads.fetch_add(1, Ordering::SeqCst);
    Html(server.html)
}

async fn look(State(server): State<Server>, body: String) {
    let _ = server.looks.send(serde_json::from_str(&body).unwrap()).await;
}

fn browser(profile: &Path) -> Command {
    let mut command = Command::new("chromium");
    command
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        .args(["--no-first-run", "--disable-background-networking", "--disable-component-update"])
        .args(["--no-proxy-server", "--window-size=800,600", "--hide-scrollbars"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .env("HOME", profile)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Tells how the page looks, once it is loaded and whenever that changes.
const TELL: &str = r#"<script>
addEventListener("load", () => {
  let told;
  setInterval(() => {
    const before = getComputedStyle(document.body, "::before");
    const look = JSON.stringify({
      color: getComputedStyle(document.querySelector("p")).color,
      content: before.content,
      display: before.display,
      fonts: [...document.fonts].filter((font) => font.status === "loaded").map((font) => font.family),
      top: document.querySelector("p").getBoundingClientRect().top,
    });
    if (look !== told) fetch("/look", { method: "POST", body: told = look });
  }, 50);
});
</script>"#;

pub(crate) fn link(dev: &Dev, path: &str) -> String {
    format!(r#"<link rel="stylesheet" href="http://{}{path}">"#, dev.address)
}

/// The page's other style sheet shows that the browser has got all of them.
const BROKEN_SITE: [(&str, &str); 2] =
    [("app.scss", "a { color: $nowhere }"), ("ok.scss", "p { color: red }")];

#[tokio::test]
async fn compile_error_is_seen_on_the_page() {
    let site = site(&BROKEN_SITE);
    let dev = Dev::start(site.path(), &[]).await;
    let head = link(&dev, "/app.css") + &link(&dev, "/ok.css");
    let mut page = Page::open(&head).await;
    let look = page.until("the other style sheet", |look| look["color"] == RED).await;
    let content = look["content"].as_str().unwrap();
    assert!(content.contains("Undefined variable") && content.contains("app.scss"), "{content}");
    assert_eq!(look["display"], "block");
    assert!(look["top"].as_f64().unwrap() > 60.0, "the error takes no room: {look}");
    page.close().await;
}

#[tokio::test]
async fn compile_error_is_not_seen_where_it_is_told_by_status() {
    let site = site(&BROKEN_SITE);
    let dev = Dev::start(site.path(), &["--errors", "Status"]).await;
    let told = reqwest::Client::builder().no_proxy().build().unwrap();
    assert_eq!(told.get(format!("http://{}/app.css", dev.address)).send().await.unwrap().status(), 422);
    let head = link(&dev, "/app.css") + &link(&dev, "/ok.css");
    let mut page = Page::open(&head).await;
    let look = page.until("the other style sheet", |look| look["color"] == RED).await;
    assert_eq!(look["content"], "none");
    assert!(look["top"].as_f64().unwrap() < 40.0, "something takes room: {look}");
    page.close().await;
}

#[tokio::test]
async fn edited_file_changes_the_page_without_loading_it_anew() {
    let site =
        site(&[("_colors.scss", "$text: red;"), ("app.scss", "@use 'colors'; p { color: colors.$text }")]);
    let colors = site.path().join("_colors.scss");
    let dev = Dev::start(site.path(), &[]).await;
    let script = format!(r#"<script src="http://{}/_assets/live.js"></script>"#, dev.address);
    let mut page = Page::open(&(link(&dev, "/app.css") + &script)).await;
    page.until("the first colour", |look| look["color"] == RED).await;
    fs::write(&colors, "$text: blue;").unwrap();
    page.until("the edited colour", |look| look["color"] == BLUE).await;
    fs::write(&colors, "$text: ;").unwrap();
    let is_shown = |look: &Value| look["content"].as_str().is_some_and(|text| text.contains("Error"));
    page.until("the error of an edit", is_shown).await;
    fs::write(&colors, "$text: red;").unwrap();
    page.until("the mended file", |look| look["color"] == RED && look["content"] == "none").await;
    assert_eq!(page.loads(), 1, "the page was loaded anew");
    page.close().await;
}
