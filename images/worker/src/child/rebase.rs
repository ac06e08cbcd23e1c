//! Makes a style sheet's URLs absolute that are relative or begin with `/`: they mean files of the site, and the
//! style sheet is served from elsewhere.
//!
//! Only the URLs change, byte for byte nothing else. What stays: absolute URLs, those of another host (`//`),
//! `data:` and the like, fragments alone, namespaces, which are names, and style sheets that CSS's own `@import`
//! loads, which are served where this one is.

use cssparser::{CowRcStr, ParseError, Parser, ToCss, Token};
use url::Url;

use super::source_map::{Change, Css, columns, follow};

/// Where the site's files lie, and the folder in it that relative URLs start from.
pub(super) struct Site<'s> {
    url: &'s str,
    /// The style sheet's own URL on a host of no meaning.
    sheet: Url,
}

impl<'s> Site<'s> {
    /// `path` is the style sheet's, absolute and not encoded.
    pub(super) fn new(url: &'s Url, path: &str) -> Option<Self> {
        let sheet = pipeline::tenant::source_url(&Url::parse("http://site.invalid/").ok()?, path)?;
        Some(Self { url: url.as_str().trim_end_matches('/'), sheet })
    }

    /// The absolute URL, or `None` where the URL stays as it is.
    fn rebase(&self, url: &str) -> Option<String> {
        let trimmed = url.trim();
        let is_kept = trimmed.is_empty() || trimmed.starts_with(['#', '?']) || trimmed.starts_with("//");
        if is_kept || trimmed.starts_with("/\\") || Url::parse(trimmed).is_ok() {
            return None;
        }
        let joined = self.sheet.join(trimmed).ok()?;
        let path = joined.as_str().strip_prefix("http://site.invalid")?;
        Some(format!("{}{path}", self.url))
    }

    /// The style sheet with its URLs made absolute.
    pub(super) fn rebase_all(&self, css: Css) -> Css {
        let Css { text, map } = css;
        let mut changes =
            Changes { css: &text, written: 0, rebased: String::new(), made: Vec::new(), site: self };
        changes.walk(&mut Parser::new(&text), Strings::AreNoUrls);
        let (rebased, made) = changes.finish();
        Css { map: map.map(|map| follow(&map, &text, &made)), text: rebased }
    }
}

/// Whether a string at this place is a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strings {
    /// In `url("…")` and `image-set("…" 2x)`.
    AreUrls,
    AreNoUrls,
}

struct Changes<'s, 'c> {
    css: &'c str,
    /// Up to here it has been copied.
    written: usize,
    rebased: String,
    made: Vec<Change>,
    site: &'s Site<'s>,
}

impl<'c> Changes<'_, 'c> {
    /// Walks over everything in this block and the blocks inside of it.
    fn walk(&mut self, parser: &mut Parser<'c>, strings: Strings) {
        loop {
            let start = parser.position().byte_index();
            let Ok(token) = parser.next_including_whitespace_and_comments().cloned() else { return };
            let end = parser.position().byte_index();
            match token {
                Token::UnquotedUrl(url) => {
                    self.replace(start, end, &url, |url| format!("url({})", quote(url)));
                }
                Token::QuotedString(url) if strings == Strings::AreUrls => {
                    self.replace(start, end, &url, quote);
                }
                Token::AtKeyword(name) if is_not_of_files(&name) => skip_statement(parser),
                Token::Function(name) => self.walk_into(parser, strings_of(&name)),
                Token::ParenthesisBlock | Token::SquareBracketBlock | Token::CurlyBracketBlock => {
                    self.walk_into(parser, Strings::AreNoUrls);
                }
                _ => {}
            }
        }
    }

    /// A block that is nested deeper than any of people stays as it is.
    fn walk_into(&mut self, parser: &mut Parser<'c>, strings: Strings) {
        let walked: Result<(), ParseError<()>> = parser.parse_nested_block(|block| {
            self.walk(block, strings);
            Ok(())
        });
        walked.ok();
    }

    /// Writes what `write` makes of the absolute URL in place of the token from `start` to `end`.
    fn replace(&mut self, start: usize, end: usize, url: &CowRcStr<'_>, write: impl Fn(&str) -> String) {
        let Some(absolute) = self.site.rebase(url) else { return };
        self.rebased.push_str(self.css.get(self.written..start).unwrap_or_default());
        let (old, new) = (self.css.get(start..end).unwrap_or_default(), write(&absolute));
        let length = |text| columns(text).map_or(0, i64::from);
        self.made.push(Change { end, grown: length(&new) - length(old) });
        self.rebased.push_str(&new);
        self.written = end;
    }

    fn finish(mut self) -> (String, Vec<Change>) {
        self.rebased.push_str(self.css.get(self.written..).unwrap_or_default());
        (self.rebased, self.made)
    }
}

fn strings_of(function: &str) -> Strings {
    let functions = ["url", "src", "image-set", "-webkit-image-set"];
    let is_one = functions.iter().any(|name| function.eq_ignore_ascii_case(name));
    if is_one { Strings::AreUrls } else { Strings::AreNoUrls }
}

fn is_not_of_files(at_rule: &str) -> bool {
    ["import", "namespace", "charset"].iter().any(|name| at_rule.eq_ignore_ascii_case(name))
}

/// To the semicolon, or the block, that ends an at-rule.
fn skip_statement(parser: &mut Parser<'_>) {
    while let Ok(token) = parser.next() {
        if matches!(token, Token::Semicolon | Token::CurlyBracketBlock) {
            return;
        }
    }
}

/// A URL is written as a string, in which only quotes and the like need care.
fn quote(url: &str) -> String {
    Token::QuotedString(url.into()).to_css_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rebase(css: &str) -> String {
        let site: Url = "https://www.shop.example/site/".parse().unwrap();
        let css = Css { text: css.to_owned(), map: None };
        Site::new(&site, "/theme/über uns/app.css").unwrap().rebase_all(css).text
    }

    #[test]
    fn urls_of_the_sites_files_become_absolute() {
        for (css, expected) in [
            ("a{b:url(x.png)}", r#"a{b:url("https://www.shop.example/site/theme/%C3%BCber%20uns/x.png")}"#),
            ("a{b:url('../x.png')}", r#"a{b:url("https://www.shop.example/site/theme/x.png")}"#),
            ("a{b:url( \"/x.png?v=1#y\" )}", r#"a{b:url( "https://www.shop.example/site/x.png?v=1#y" )}"#),
            ("a{b:url(../../../../x.png)}", r#"a{b:url("https://www.shop.example/site/x.png")}"#),
            ("a{b:URL(/x\\).png)}", r#"a{b:url("https://www.shop.example/site/x).png")}"#),
            (
                "@font-face{src:url(/f.woff2)format(\"woff2\"),local(\"f\")}",
                r#"@font-face{src:url("https://www.shop.example/site/f.woff2")format("woff2"),local("f")}"#,
            ),
            (
                "@media print{a{b:image-set(\"/x.png\" 1x type(\"image/png\"), url(/y.png) 2x)}}",
                "@media print{a{b:image-set(\"https://www.shop.example/site/x.png\" 1x type(\"image/png\"), \
                 url(\"https://www.shop.example/site/y.png\") 2x)}}",
            ),
            ("a{--b:url(/x.png)}", r#"a{--b:url("https://www.shop.example/site/x.png")}"#),
            ("a{b:url(/a%20b\"c.png)}", "a{b:url(/a%20b\"c.png)}"),
            ("a{b:url(/x.png", r#"a{b:url("https://www.shop.example/site/x.png")"#),
        ] {
            assert_eq!(rebase(css), expected, "{css}");
        }
    }

    #[test]
    fn block_that_is_nested_too_deep_ends_nothing() {
        let deep = format!("a{{b:{}1{}}}", "(".repeat(500), ")".repeat(500));
        let expected = format!(r#"{deep}c{{d:url("https://www.shop.example/site/x.png")}}"#);
        assert_eq!(rebase(&format!("{deep}c{{d:url(/x.png)}}")), expected);
    }

    #[test]
    fn everything_else_stays_byte_for_byte() {
        for css in [
            "a{b:url(https://c.example/x.png)}a{b:url(//c.example/x.png)}a{b:url(data:image/png;base64,AA==)}",
            "a{b:url(#gradient)}a{b:url()}a{b:url(\"\")}a{behavior:url(?x)}",
            "@import url(other.css) screen;@import 'b.css';@namespace url(http://www.w3.org/1999/xhtml);",
            "@charset \"UTF-8\";\n/* url(x.png) */ a::before { content: \"url(x.png)\" }",
            "a{b:blob:x;c:url(about:blank);filter:progid:X(src='x.png')}",
            "a{content:\"\\\"\";}}} b{c:d",
            "a{b:url(x y)} \u{feff}ü{}",
            "",
        ] {
            assert_eq!(rebase(css), css);
        }
    }
}
