//! One random request, and whose file it asks for: known from how it was made, not from parsing it.

use axum::{
    body::Body,
    http::{self, HeaderName, HeaderValue, Method, Uri},
};
use pipeline::names::Digest;
use rand::{Rng, rngs::StdRng, seq::IndexedRandom};

use super::{TENANTS, css_of};

/// Paths that every tenant has, compiled already.
pub(super) const WARM: [&str; 4] = ["/app.css", "/theme/app.css", "/a b/ü.css", "/%61pp.css"];
/// Paths that every tenant has, compiled at the first visit.
pub(super) const COLD: [&str; 4] = ["/cold.css", "/theme/cold.css", "/APP.css", "/app.css.css"];
/// Paths that no tenant has.
pub(super) const GONE: [&str; 3] = ["/gone.css", "/b.example/app.css", "/app.css;v=1.css"];

/// A request, and what it is for: nobody's, or no style sheet, where there is nothing.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) tenant: Option<&'static str>,
    pub(super) path: Option<String>,
    pub(super) request: Request,
}

/// A request as it is sent.
#[derive(Debug)]
pub(super) struct Request {
    method: Method,
    target: String,
    headers: Vec<(&'static str, Vec<u8>)>,
}

impl Request {
    /// `None` where it is none that a client could send.
    pub(super) fn build(&self) -> Option<http::Request<Body>> {
        let mut request = http::Request::builder().method(&self.method).uri(self.target.parse::<Uri>().ok()?);
        for (name, value) in &self.headers {
            let value = HeaderValue::from_bytes(value).ok()?;
            request = request.header(HeaderName::from_static(name), value);
        }
        request.body(Body::empty()).ok()
    }

    pub(super) fn method(&self) -> &Method {
        &self.method
    }

    /// All of `If-None-Match`.
    pub(super) fn known_tags(&self) -> String {
        let tags = self.headers.iter().filter(|(name, _)| *name == "if-none-match");
        tags.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
    }
}

impl Case {
    pub(super) fn draw(random: &mut StdRng) -> Self {
        let (host, tenant) = draw_host(random);
        let (raw_path, path) = draw_path(random);
        let query = draw_query(random);
        let mut headers = Vec::new();
        // A host in the target outdoes the header's (RFC 9112, 3.2.2), and HTTP/2 has no other.
        // A slash would end it there, and begin another path.
        let target = if random.random_ratio(1, 4) && !host.is_empty() && !host.contains('/') {
            if random.random() {
                headers.push(("host", anybody(random).as_bytes().to_vec()));
            }
            format!("http://{host}{raw_path}{query}")
        } else {
            headers.push(("host", host.into_bytes()));
            format!("{raw_path}{query}")
        };
        let method = match random.random_range(0..20) {
            0 => Method::POST,
            1 | 2 => Method::HEAD,
            _ => Method::GET,
        };
        draw_misleading(random, &mut headers);
        draw_conditions(random, path.as_deref(), &mut headers);
        Self { tenant, path, request: Request { method, target, headers } }
    }
}

/// The host of any tenant.
fn anybody(random: &mut StdRng) -> &'static str {
    TENANTS.choose(random).map_or("", |(host, _)| host)
}

/// A host as it is written, and the tenant whose it is.
fn draw_host(random: &mut StdRng) -> (String, Option<&'static str>) {
    let (host, name) = *TENANTS.choose(random).unwrap();
    if random.random_ratio(1, 8) {
        return (draw_wrong_host(random, host), None);
    }
    let mut written: String = match random.random_range(0..3) {
        0 => host.to_ascii_uppercase(),
        1 => host.chars().map(|c| if random.random() { c.to_ascii_uppercase() } else { c }).collect(),
        _ => host.to_owned(),
    };
    if random.random_ratio(1, 8) {
        written.push('.');
    }
    if random.random_ratio(1, 4) {
        written = format!("{written}:{}", random.random_range(0..=65_535));
    }
    (written, Some(name))
}

fn draw_wrong_host(random: &mut StdRng, host: &str) -> String {
    let other = anybody(random);
    match random.random_range(0..14) {
        0 => String::new(),
        1 => format!("{host},{other}"),
        2 => format!("{host} {other}"),
        3 => format!("{host}@{other}"),
        4 => format!("{host}/{other}"),
        5 => format!("{host}#{other}"),
        6 => format!("{host}:80:80"),
        7 => format!("{host}:http"),
        8 => format!("%61{host}"),
        9 => format!("{host}.."),
        10 => format!(".{host}"),
        11 => format!("{}.{host}", "x".repeat(250)),
        12 => format!("nobody{}.example", random.random_range(0..100)),
        _ => format!("{host}\u{e9}"),
    }
}

/// A path as it is written, and as it is meant where it is a style sheet's.
fn draw_path(random: &mut StdRng) -> (String, Option<String>) {
    let kind: &[&str] = match random.random_range(0..6) {
        0 => &COLD,
        1 => &GONE,
        _ => &WARM,
    };
    let path = *kind.choose(random).unwrap();
    let written: String = path.chars().map(|c| write_char(random, c)).collect();
    let wrong = match random.random_range(0..40) {
        0 => format!("/x/..{written}"),
        1 => format!("/.{written}"),
        2 => format!("/{written}"),
        3 => format!("/x%2f..{}", written.replacen('/', "%2f", 1)),
        4 => format!("/%2e%2e{written}"),
        5 => format!("{written}%00"),
        6 => format!("/%00{written}"),
        7 => format!("/%c0%ae%c0%ae{written}"),
        8 => format!("/{}{written}", "x".repeat(1_100)),
        9 => format!("{written}/"),
        10 => format!("/%5c..%5c{written}"),
        11 => format!("{written}%3fv=1"),
        12 => format!("{written}x"),
        _ => return (written, Some(path.to_owned())),
    };
    (wrong, None)
}

/// Most characters as they are, some encoded; always those that a target cannot hold.
fn write_char(random: &mut StdRng, c: char) -> String {
    let must = matches!(c, ' ' | '%') || !c.is_ascii();
    if must || (c != '/' && random.random_ratio(1, 20)) {
        let mut bytes = [0; 4];
        let bytes = c.encode_utf8(&mut bytes).bytes();
        bytes
            .map(|byte| if random.random() { format!("%{byte:02x}") } else { format!("%{byte:02X}") })
            .collect()
    } else {
        c.to_string()
    }
}

fn draw_query(random: &mut StdRng) -> String {
    let other = anybody(random);
    match random.random_range(0..12) {
        0..4 => String::new(),
        4 => "?".to_owned(),
        5 => format!("?v={}", random.random::<u32>()),
        6 => format!("?host={other}&path=/app.css"),
        7 => format!("?/../{other}/app.css"),
        8 => format!("?{}", "q".repeat(random.random_range(1..2_000))),
        9 => "?%00%ff%2e%2e%2f".to_owned(),
        10 => format!("?http://{other}/app.css"),
        _ => format!("?a={}&a={}&?=?", random.random::<u8>(), random.random::<u8>()),
    }
}

/// Headers that name another tenant, and that nobody may heed.
fn draw_misleading(random: &mut StdRng, headers: &mut Vec<(&'static str, Vec<u8>)>) {
    for name in
        ["x-forwarded-host", "forwarded", "x-host", "x-original-url", "x-rewrite-url", "x-forwarded-for"]
    {
        if random.random_ratio(1, 8) {
            let other = anybody(random);
            let value = match name {
                "forwarded" => format!("for=1.2.3.4;host={other};proto=https"),
                "x-original-url" | "x-rewrite-url" => format!("http://{other}/app.css"),
                _ => other.to_owned(),
            };
            headers.push((name, value.into_bytes()));
        }
    }
}

/// Codings, conditions and ranges, with tags of any tenant's files.
fn draw_conditions(random: &mut StdRng, path: Option<&str>, headers: &mut Vec<(&'static str, Vec<u8>)>) {
    let codings = ["gzip", "br", "gzip, br;q=0.5", "*", "identity", "br;q=0", "zstd, *;q=0.1", ",;q="];
    if random.random_ratio(2, 3) {
        headers.push(("accept-encoding", codings.choose(random).unwrap().as_bytes().to_vec()));
    }
    while random.random_ratio(1, 3) {
        let (_, name) = TENANTS.choose(random).unwrap();
        let path = path.filter(|_| random.random_ratio(3, 4)).unwrap_or("/app.css");
        let digest = Digest::of(css_of(name, path).as_bytes());
        let coding = ["identity", "gzip", "br"].choose(random).unwrap();
        let tag = match random.random_range(0..12) {
            0 => "*".to_owned(),
            1 => "\"".to_owned(),
            2 => digest.to_string(),
            3..6 => format!("W/\"{digest}-{coding}\""),
            6 => format!("\"x\", \"{digest}-{coding}\""),
            _ => format!("\"{digest}-{coding}\""),
        };
        headers.push(("if-none-match", tag.into_bytes()));
    }
    if random.random_ratio(1, 8) {
        headers.push(("range", b"bytes=0-9".to_vec()));
    }
}
