//! The bodies: style sheets whose gzip form has the sizes that are asked for, the same in every process.

use std::{fmt::Write, io::Write as _};

use bytes::Bytes;
use clap::ValueEnum;
use flate2::{Compression, write::GzEncoder};

/// How large a body is on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Size {
    #[value(name = "5")]
    Kb5,
    #[value(name = "30")]
    Kb30,
    #[value(name = "230")]
    Kb230,
}

pub(crate) const SIZES: [Size; 3] = [Size::Kb5, Size::Kb30, Size::Kb230];

impl Size {
    pub(crate) fn kilobytes(self) -> usize {
        match self {
            Self::Kb5 => 5,
            Self::Kb30 => 30,
            Self::Kb230 => 230,
        }
    }

    pub(crate) fn path(self) -> String {
        format!("/theme/style-{}k.css", self.kilobytes())
    }
}

/// A style sheet, plain and compressed.
pub(crate) struct Sheet {
    pub(crate) plain: Bytes,
    pub(crate) gzip: Bytes,
}

/// The shortest sheet of this kind whose gzip form is not smaller than the size.
pub(crate) fn sheet(size: Size) -> Sheet {
    let wanted = size.kilobytes() * 1000;
    let (mut low, mut high) = (1, wanted);
    while low < high {
        let middle = low.midpoint(high);
        if gzip(rules(middle).as_bytes()).len() < wanted { low = middle + 1 } else { high = middle }
    }
    let plain = rules(low);
    Sheet { gzip: gzip(plain.as_bytes()), plain: Bytes::from(plain) }
}

/// Rules with names and values that do not repeat, as a large site's do not.
fn rules(count: usize) -> String {
    let mut css = String::new();
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut next = || {
        // Marsaglia's xorshift64.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..count {
        let (name, colour, width) = (next() % 0xff_ffff, next() % 0xff_ffff, next() % 1000);
        // Writing to a String cannot fail.
        let _ = writeln!(css, ".c{name:x} {{ color: #{colour:06x}; padding: {width}px; }}");
    }
    css
}

fn gzip(body: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).and_then(|()| encoder.finish()).map(Bytes::from).expect("memory takes all bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sheets_have_their_sizes_and_are_the_same_each_time() {
        for size in [Size::Kb5, Size::Kb30] {
            let sheet = sheet(size);
            let wanted = size.kilobytes() * 1000;
            assert!((wanted..wanted + 100).contains(&sheet.gzip.len()), "{}", sheet.gzip.len());
            assert_eq!(sheet.gzip, self::sheet(size).gzip);
        }
    }
}
