//! What parent and child say to each other: JSON messages, each after its length (4 bytes, little endian).

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
};

use pipeline::options::{CompileOptions, SassEngine};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use url::Url;

use super::Confinement;
pub use crate::resolve::Settled;

/// A longer message is a fault of the other side. Large enough for the largest source that is fetched
/// and the largest style sheet that is taken, JSON's escapes included.
pub const MAX_MESSAGE_BYTES: usize = 64 << 20;

/// From the parent.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToChild {
    /// The first message, and again after a [`FromChild::Done`] of a child that stays.
    Compile(Box<Order>),
    /// The answer to [`FromChild::Probe`]: those of the path's siblings at which there is a source.
    Probed { present: Vec<String> },
    /// The answer to [`FromChild::Read`]; `None` where there is no such source.
    Source(Option<String>),
}

/// What to compile, and how.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Absolute path of the style sheet's source at the origin.
    pub entry: String,
    pub load_paths: Vec<String>,
    /// Where the site's files lie that relative URLs in the CSS mean; they stay as they are without one.
    pub site: Option<Url>,
    pub options: CompileOptions,
    pub known: Known,
}

/// What the parent has of the origin already.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Texts by their paths.
    pub sources: BTreeMap<String, String>,
    /// Paths at which there is nothing.
    pub absent: Vec<String>,
    /// Files beside which other spellings of their names decide nothing, and are taken for absent.
    pub settled: Settled,
}

/// The child's first message, before it reads anything.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hello {
    Ready(Confinement),
    /// It could not be confined, and ends.
    Unfit {
        reason: String,
    },
}

/// From the child.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromChild {
    /// This engine runs from now on. Wants no answer.
    Begins { engine: SassEngine },
    /// Is there a source at this path, or at another one that the same import may mean?
    Probe { path: String },
    /// What does the source at this path hold?
    Read { path: String },
    /// Those of the known sources that were read, by their places in the order of all their paths. Said once for
    /// each order, before its last message; wants no answer.
    Used { places: Vec<usize> },
    /// The style sheet, or the error of the engine that began last. An order's last message: the child ends, or
    /// stays for another order of the same tenant.
    Done { result: Result<String, String>, stays: bool },
}

/// The longest error message that a child gives, in bytes.
const MAX_ERROR_BYTES: usize = 64 << 10;

/// JSON writes one byte as six at the most (`\u0000`).
const MOST_ESCAPED: usize = 6;

/// The longest message of a child whose style sheet may have so many bytes: CSS has few that JSON escapes.
pub fn longest_from_child(output_bytes: usize) -> usize {
    output_bytes.saturating_mul(2).saturating_add(MOST_ESCAPED * MAX_ERROR_BYTES)
}

/// The result such that its message is not too long for the parent.
pub(super) fn bounded(result: Result<String, String>, output_bytes: usize) -> Result<String, String> {
    match result {
        Ok(css) if css.len() > output_bytes => {
            let length = css.len();
            Err(format!("the style sheet is {length} bytes long; at most {output_bytes} are taken"))
        }
        Ok(css) if escaped_bytes(&css) > output_bytes.saturating_mul(2) => {
            Err("the style sheet consists of quotes and control characters".to_owned())
        }
        Ok(css) => Ok(css),
        Err(mut message) => {
            message.truncate(message.floor_char_boundary(MAX_ERROR_BYTES));
            Err(message)
        }
    }
}

/// How long JSON makes a text.
pub(crate) fn escaped_bytes(text: &str) -> usize {
    let written = |byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
        0..b' ' => MOST_ESCAPED,
        _ => 1,
    };
    text.bytes().map(written).sum()
}

/// The message with its length in front.
pub fn encode<M: Serialize>(message: &M) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let length = frame.len() - 4;
    let length = u32::try_from(length).ok().filter(|_| length <= MAX_MESSAGE_BYTES);
    let length =
        length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the message is too long"))?;
    for (byte, digit) in frame.iter_mut().zip(length.to_le_bytes()) {
        *byte = digit;
    }
    Ok(frame)
}

/// The length in front of a message; too large a one is refused before anything is allocated for it.
pub fn checked_length(bytes: [u8; 4], longest: usize) -> io::Result<usize> {
    let length = u32::from_le_bytes(bytes) as usize;
    if length > longest {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a message of {length} bytes was announced"),
        ));
    }
    Ok(length)
}

pub(super) fn write<M: Serialize>(output: &mut impl Write, message: &M) -> io::Result<()> {
    output.write_all(&encode(message)?)?;
    output.flush()
}

pub(super) fn read<M: DeserializeOwned>(input: &mut impl Read) -> io::Result<M> {
    let mut length = [0; 4];
    input.read_exact(&mut length)?;
    let mut body = vec![0; checked_length(length, MAX_MESSAGE_BYTES)?];
    input.read_exact(&mut body)?;
    Ok(serde_json::from_slice(&body)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(result: Result<String, String>) -> FromChild {
        FromChild::Done { result, stays: false }
    }

    #[test]
    fn messages_survive_the_way() {
        let message = done(Err("\"ü\" is not defined\n".to_owned()));
        let frame = encode(&message).unwrap();
        assert_eq!(read::<FromChild>(&mut frame.as_slice()).unwrap(), message);
    }

    #[test]
    fn results_fit_the_parents_limit() {
        let taken = |result| {
            let bounded = bounded(result, 1000);
            assert!(encode(&done(bounded.clone())).unwrap().len() <= 4 + longest_from_child(1000));
            bounded
        };
        assert_eq!(taken(Ok("a".repeat(1000))), Ok("a".repeat(1000)));
        assert_eq!(taken(Ok("\n".repeat(1000))), Ok("\n".repeat(1000)));
        assert!(taken(Ok("a".repeat(1001))).unwrap_err().contains("1001 bytes long; at most 1000"));
        assert!(taken(Ok("\0".repeat(400))).unwrap_err().contains("control characters"));
        assert_eq!(taken(Err("\0".repeat(100_000))).unwrap_err().len(), MAX_ERROR_BYTES);
    }

    #[test]
    fn announced_lengths_beyond_the_limit_are_refused() {
        let frame = u32::MAX.to_le_bytes();
        assert_eq!(read::<FromChild>(&mut frame.as_slice()).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
