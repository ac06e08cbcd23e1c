//! Content codings of a compiled file.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use pipeline::key::Encoding;

/// Brotli's quality that is worth its time while somebody waits.
const BROTLI_QUALITY: u32 = 5;
/// The highest, which nobody is to wait for.
const DENSE_BROTLI_QUALITY: u32 = 11;
const BROTLI_WINDOW_BITS: u32 = 22;
const BUFFER_BYTES: usize = 32 << 10;

/// The body in every coding that we store. Uses the CPU for milliseconds: call it off the async threads.
pub(crate) fn encode_all(css: Bytes) -> io::Result<Vec<(Encoding, Bytes)>> {
    let gzip = gzip(&css)?;
    let brotli = brotli(&css, BROTLI_QUALITY)?;
    Ok(vec![(Encoding::Identity, css), (Encoding::Gzip, gzip), (Encoding::Br, brotli)])
}

/// brotli at its densest. Uses the CPU for up to seconds.
pub fn encode_densely(css: &[u8]) -> io::Result<Bytes> {
    brotli(css, DENSE_BROTLI_QUALITY)
}

fn gzip(body: &[u8]) -> io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body)?;
    encoder.finish().map(Bytes::from)
}

fn brotli(body: &[u8], quality: u32) -> io::Result<Bytes> {
    let mut compressed = Vec::new();
    let mut encoder =
        brotli::CompressorWriter::new(&mut compressed, BUFFER_BYTES, quality, BROTLI_WINDOW_BITS);
    encoder.write_all(body)?;
    encoder.flush()?;
    drop(encoder);
    Ok(Bytes::from(compressed))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn every_coding_gives_the_body_back() {
        let css = Bytes::from("a{color:red}".repeat(1000));
        let dense = (Encoding::Br11, encode_densely(&css).unwrap());
        for (encoding, body) in encode_all(css.clone()).unwrap().into_iter().chain([dense]) {
            let mut plain: Box<dyn Read + '_> = match encoding {
                Encoding::Identity => Box::new(&*body),
                Encoding::Gzip => Box::new(flate2::read::GzDecoder::new(&*body)),
                Encoding::Br | Encoding::Br11 => Box::new(brotli::Decompressor::new(&*body, 4096)),
            };
            let mut decoded = Vec::new();
            plain.read_to_end(&mut decoded).unwrap();
            assert_eq!(decoded, css, "{encoding}");
        }
    }
}
