//! What parent and child say to each other: messages, each after its length.
//!
//! A message is the length of its JSON, that, and the message's texts, each after its length; all lengths have 4
//! bytes, little endian. In the JSON the texts are empty: sources and style sheets are long, and to escape and to
//! read them costs more than anything else that is done with them between parent and child.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    mem,
};

use pipeline::options::{CompileOptions, SassEngine};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use url::Url;

use super::Confinement;
pub use crate::resolve::Settled;

/// A longer message is a fault of the other side. Large enough for all sources that are known to a job, and for
/// the largest style sheet that is taken.
pub const MAX_MESSAGE_BYTES: usize = 64 << 20;

/// What can be said.
pub trait Message: Serialize + DeserializeOwned {
    /// Those of its texts that stand behind the JSON, in an order that the JSON settles.
    fn texts(&mut self) -> Vec<&mut String>;
}

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

impl Message for ToChild {
    fn texts(&mut self) -> Vec<&mut String> {
        match self {
            Self::Compile(order) => order.known.sources.values_mut().collect(),
            Self::Source(text) => text.iter_mut().collect(),
            Self::Probed { .. } => Vec::new(),
        }
    }
}

impl Message for Hello {
    fn texts(&mut self) -> Vec<&mut String> {
        Vec::new()
    }
}

impl Message for FromChild {
    fn texts(&mut self) -> Vec<&mut String> {
        match self {
            Self::Done { result: Ok(text) | Err(text), stays: _ } => vec![text],
            Self::Begins { .. } | Self::Probe { .. } | Self::Read { .. } | Self::Used { .. } => Vec::new(),
        }
    }
}

/// The longest error message that a child gives, in bytes.
const MAX_ERROR_BYTES: usize = 64 << 10;

/// What a message may have beside a style sheet: an error, or what it is said with.
const MOST_BESIDE: usize = 6 * MAX_ERROR_BYTES;

/// The longest message of a child whose style sheet may have so many bytes.
pub fn longest_from_child(output_bytes: usize) -> usize {
    output_bytes.saturating_add(MOST_BESIDE)
}

/// The result such that its message is not too long for the parent.
pub(super) fn bounded(result: Result<String, String>, output_bytes: usize) -> Result<String, String> {
    match result {
        Ok(css) if css.len() > output_bytes => {
            let length = css.len();
            Err(format!("the style sheet is {length} bytes long; at most {output_bytes} are taken"))
        }
        Ok(css) => Ok(css),
        Err(mut message) => {
            message.truncate(message.floor_char_boundary(MAX_ERROR_BYTES));
            Err(message)
        }
    }
}

/// The message with its length in front.
pub fn encode(mut message: impl Message) -> io::Result<Vec<u8>> {
    let texts: Vec<String> = message.texts().into_iter().map(mem::take).collect();
    let text_bytes: usize = texts.iter().map(|text| LENGTH_BYTES + text.len()).sum();
    let mut frame = Vec::with_capacity(text_bytes + USUAL_JSON_BYTES);
    frame.extend_from_slice(&[0; 2 * LENGTH_BYTES]);
    serde_json::to_writer(&mut frame, &message)?;
    let json_bytes = frame.len() - 2 * LENGTH_BYTES;
    for text in texts {
        frame.extend_from_slice(&length_of(text.len())?);
        frame.extend_from_slice(text.as_bytes());
    }
    let lengths = [length_of(frame.len() - LENGTH_BYTES)?, length_of(json_bytes)?].concat();
    for (byte, digit) in frame.iter_mut().zip(lengths) {
        *byte = digit;
    }
    Ok(frame)
}

/// The message of a frame, given what stands behind its length.
pub fn decode<M: Message>(frame: &[u8]) -> io::Result<M> {
    let mut rest = frame;
    let mut message: M = serde_json::from_slice(take_piece(&mut rest)?)?;
    for text in message.texts() {
        let piece = str::from_utf8(take_piece(&mut rest)?);
        piece.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?.clone_into(text);
    }
    if rest.is_empty() {
        Ok(message)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, "there is more behind the message"))
    }
}

const LENGTH_BYTES: usize = size_of::<u32>();
const USUAL_JSON_BYTES: usize = 1 << 10;

fn length_of(length: usize) -> io::Result<[u8; LENGTH_BYTES]> {
    let length = u32::try_from(length).ok().filter(|_| length <= MAX_MESSAGE_BYTES);
    length
        .map(u32::to_le_bytes)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the message is too long"))
}

/// Takes what stands behind its length.
fn take_piece<'f>(rest: &mut &'f [u8]) -> io::Result<&'f [u8]> {
    let too_short = || io::Error::new(io::ErrorKind::InvalidData, "the message is too short");
    let (length, behind) = rest.split_first_chunk().ok_or_else(too_short)?;
    let length = u32::from_le_bytes(*length) as usize;
    let (piece, behind) = behind.split_at_checked(length).ok_or_else(too_short)?;
    *rest = behind;
    Ok(piece)
}

/// The length in front of a message; too large a one is refused before anything is allocated for it.
pub fn checked_length(bytes: [u8; LENGTH_BYTES], longest: usize) -> io::Result<usize> {
    let length = u32::from_le_bytes(bytes) as usize;
    if length > longest {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a message of {length} bytes was announced"),
        ));
    }
    Ok(length)
}

pub(super) fn write(output: &mut impl Write, message: impl Message) -> io::Result<()> {
    output.write_all(&encode(message)?)?;
    output.flush()
}

pub(super) fn read<M: Message>(input: &mut impl Read) -> io::Result<M> {
    let mut length = [0; LENGTH_BYTES];
    input.read_exact(&mut length)?;
    let mut frame = vec![0; checked_length(length, MAX_MESSAGE_BYTES)?];
    input.read_exact(&mut frame)?;
    decode(&frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(result: Result<String, String>) -> FromChild {
        FromChild::Done { result, stays: false }
    }

    #[test]
    fn messages_survive_the_way() {
        let texts = [("/a.scss", "\"ü\" \n\0"), ("/b.scss", ""), ("/ü", "c")];
        let known = Known {
            sources: texts.map(|(path, text)| (path.to_owned(), text.to_owned())).into(),
            absent: vec!["/d.scss".to_owned()],
            ..Known::default()
        };
        let order = || Order {
            entry: "/a.scss".to_owned(),
            load_paths: Vec::new(),
            site: None,
            options: CompileOptions::default(),
            known: Known { sources: known.sources.clone(), absent: known.absent.clone(), ..Known::default() },
        };
        for message in [
            || ToChild::Probed { present: vec!["/\"".to_owned()] },
            || ToChild::Source(None),
            || ToChild::Source(Some("\\ä".to_owned())),
        ] {
            let frame = encode(message()).unwrap();
            assert_eq!(read::<ToChild>(&mut frame.as_slice()).unwrap(), message());
        }
        let compile = || ToChild::Compile(Box::new(order()));
        assert_eq!(read::<ToChild>(&mut encode(compile()).unwrap().as_slice()).unwrap(), compile());
        for result in [Ok("a{}".to_owned()), Err("\"ü\" is not defined\n".to_owned())] {
            let frame = encode(done(result.clone())).unwrap();
            assert_eq!(read::<FromChild>(&mut frame.as_slice()).unwrap(), done(result));
        }
    }

    #[test]
    fn frames_that_hold_less_or_more_than_they_say_are_no_messages() {
        let frame = encode(done(Ok("a{}".to_owned()))).unwrap();
        let body = &frame[LENGTH_BYTES..];
        assert!(decode::<FromChild>(&[body, b"}"].concat()).is_err());
        for end in 0..body.len() {
            assert!(decode::<FromChild>(&body[..end]).is_err(), "{end}");
        }
        let mut no_text = body.to_vec();
        *no_text.last_mut().unwrap() = 0xff;
        assert!(decode::<FromChild>(&no_text).is_err());
    }

    #[test]
    fn results_fit_the_parents_limit() {
        let taken = |result| {
            let bounded = bounded(result, 1000);
            assert!(encode(done(bounded.clone())).unwrap().len() <= 4 + longest_from_child(1000));
            bounded
        };
        assert_eq!(taken(Ok("a".repeat(1000))), Ok("a".repeat(1000)));
        assert_eq!(taken(Ok("\n".repeat(1000))), Ok("\n".repeat(1000)));
        assert!(taken(Ok("a".repeat(1001))).unwrap_err().contains("1001 bytes long; at most 1000"));
        assert_eq!(taken(Ok("\0".repeat(400))), Ok("\0".repeat(400)));
        assert_eq!(taken(Err("\0".repeat(100_000))).unwrap_err().len(), MAX_ERROR_BYTES);
    }

    #[test]
    fn announced_lengths_beyond_the_limit_are_refused() {
        let frame = u32::MAX.to_le_bytes();
        assert_eq!(read::<FromChild>(&mut frame.as_slice()).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
