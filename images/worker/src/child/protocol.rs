//! What parent and child say to each other: JSON messages, each after its length (4 bytes, little endian).

use std::io::{self, Read, Write};

use pipeline::options::{CompileOptions, SassEngine};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::ChildLimits;

/// A longer message is a fault of the other side. Large enough for the largest source that is fetched
/// and the largest style sheet that is taken, JSON's escapes included.
pub const MAX_MESSAGE_BYTES: u32 = 64 << 20;

/// From the parent.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToChild {
    /// The first message, once.
    Compile(Order),
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
    pub options: CompileOptions,
    pub limits: ChildLimits,
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
    /// The style sheet, or the error of the engine that began last. The last message.
    Done(Result<String, String>),
}

/// The message with its length in front.
pub fn encode<M: Serialize>(message: &M) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let length = u32::try_from(frame.len() - 4).ok().filter(|length| *length <= MAX_MESSAGE_BYTES);
    let length =
        length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the message is too long"))?;
    for (byte, digit) in frame.iter_mut().zip(length.to_le_bytes()) {
        *byte = digit;
    }
    Ok(frame)
}

/// The length in front of a message; too large a one is refused before anything is allocated for it.
pub fn checked_length(bytes: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_le_bytes(bytes);
    if length > MAX_MESSAGE_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a message of {length} bytes was announced"),
        ));
    }
    Ok(length as usize)
}

pub(super) fn write<M: Serialize>(output: &mut impl Write, message: &M) -> io::Result<()> {
    output.write_all(&encode(message)?)?;
    output.flush()
}

pub(super) fn read<M: DeserializeOwned>(input: &mut impl Read) -> io::Result<M> {
    let mut length = [0; 4];
    input.read_exact(&mut length)?;
    let mut body = vec![0; checked_length(length)?];
    input.read_exact(&mut body)?;
    Ok(serde_json::from_slice(&body)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_the_way() {
        let message = FromChild::Done(Err("\"ü\" is not defined\n".to_owned()));
        let frame = encode(&message).unwrap();
        assert_eq!(read::<FromChild>(&mut frame.as_slice()).unwrap(), message);
    }

    #[test]
    fn announced_lengths_beyond_the_limit_are_refused() {
        let frame = u32::MAX.to_le_bytes();
        assert_eq!(read::<FromChild>(&mut frame.as_slice()).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
