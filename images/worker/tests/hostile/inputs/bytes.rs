//! Bytes that are no text, text that nobody writes, and texts that stop in the middle.

use super::Input;

const BYTES: [(&str, &[u8]); 26] = [
    ("nothing", b""),
    ("a NUL", b"\0"),
    ("NULs everywhere", b"a\0{\0b\0:\0c\0}\0"),
    ("a byte order mark", b"\xef\xbb\xbfa{b:c}"),
    ("only a byte order mark", b"\xef\xbb\xbf"),
    ("two byte order marks", b"\xef\xbb\xbf\xef\xbb\xbfa{b:c}"),
    ("UTF-16, little endian", b"\xff\xfea\0{\0}\0"),
    ("UTF-16, big endian", b"\xfe\xff\0a\0{\0}"),
    ("Latin-1", b"/* \xe4 */"),
    ("a lone continuation byte", b"a{b:'\x80'}"),
    ("an overlong slash", b"@import '\xc0\xaf';"),
    ("a surrogate", b"a{b:'\xed\xa0\x80'}"),
    ("beyond Unicode", b"a{b:'\xf4\x90\x80\x80'}"),
    ("a character that is cut", b"a{b:'\xf0\x9f\x98"),
    ("noncharacters", b"a{b:'\xef\xbf\xbf\xef\xb7\x90'}"),
    ("control characters", b"a{b:'\x01\x02\x1b\x7f'}"),
    ("form feeds", b"a\x0c{\x0cb:c\x0c}"),
    ("carriage returns", b"a\r{\rb:c\r}"),
    ("a charset that is wrong", b"@charset 'utf-16'; a{b:'\xc3\xa4'}"),
    ("right to left", "a{b:'\u{202e}}\u{2066}'}".as_bytes()),
    ("joined emoji", "👩‍👩‍👧‍👦 .👩‍👩‍👧‍👦{b:c}".as_bytes()),
    ("escape of NUL", b"\\0 a{b:'\\0'}"),
    ("escape beyond Unicode", b"a{b:'\\110000'} \\ffffff{c:d}"),
    ("escape at the end", b"a{b:\\"),
    ("escape of a surrogate", b"a{b:'\\d800'}"),
    ("combining characters", "a{b:'e\u{301}\u{301}\u{301}\u{301}'}".as_bytes()),
];

const CUT: [&str; 36] = [
    "a",
    "a{",
    "a{b",
    "a{b:",
    "a{b:c",
    "a{b:'",
    "a{b:\"\\",
    "a{b:(",
    "a{b:[",
    "a{b:#{",
    "a{b:url(",
    "a{b:url('",
    "a{b:calc(",
    "a{--b:",
    "a{--b:{",
    "/*",
    "//",
    "@",
    "@media",
    "@media (",
    "@import",
    "@import '",
    "@use 'a' with (",
    "@mixin",
    "@mixin a(",
    "@include a(",
    "@function f(",
    "@if",
    "@else",
    "@each $a in",
    "@for $a from 1",
    "$a",
    "$a:",
    "%",
    "[a='",
    "a:not(",
];

pub(super) fn inputs() -> Vec<Input> {
    let bytes = BYTES.into_iter().map(|(name, bytes)| Input::new(name, bytes));
    let cut = CUT.into_iter().map(|text| Input::new(format!("cut behind {text}"), text));
    bytes.chain(cut).collect()
}
