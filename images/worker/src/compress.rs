//! Content codings of a compiled file.

use std::io::{self, Write};

use brotli::{CompressorWriter, enc::BrotliEncoderParams};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use pipeline::key::Encoding;

/// Brotli's quality that is worth its time while somebody waits.
const BROTLI_QUALITY: i32 = 5;
/// The highest, which nobody is to wait for.
const DENSE_BROTLI_QUALITY: i32 = 11;
/// With less, this encoder finds less at the lower quality.
const LEAST_WINDOW_BITS: i32 = 17;
const MOST_WINDOW_BITS: i32 = 22;
/// What a window has less than its bits say (RFC 7932 §9.1).
const WINDOW_GAP: usize = 16;
const BUFFER_BYTES: usize = 32 << 10;
/// Compressed, style sheets are about an eighth as long as they were.
const USUAL_PART: usize = 8;

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
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / USUAL_PART), Compression::default());
    encoder.write_all(body)?;
    encoder.finish().map(Bytes::from)
}

fn brotli(body: &[u8], quality: i32) -> io::Result<Bytes> {
    let lgwin = window_bits(body.len());
    let params = BrotliEncoderParams { quality, lgwin, size_hint: body.len(), ..Default::default() };
    let compressed = Vec::with_capacity(body.len() / USUAL_PART);
    let mut encoder = CompressorWriter::with_params(compressed, BUFFER_BYTES, &params);
    encoder.write_all(body)?;
    Ok(Bytes::from(encoder.into_inner()))
}

/// The least window that reaches from the body's end to its beginning: memory is prepared for all of a larger one,
/// which finds nothing more.
fn window_bits(length: usize) -> i32 {
    let mut bits = LEAST_WINDOW_BITS..MOST_WINDOW_BITS;
    bits.find(|bits| (1_usize << *bits) - WINDOW_GAP >= length).unwrap_or(MOST_WINDOW_BITS)
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

    #[test]
    fn window_reaches_as_far_as_the_body_is_long_and_no_further() {
        for (length, bits) in [
            (0, 17),
            ((1 << 17) - 16, 17),
            ((1 << 17) - 15, 18),
            (300_000, 19),
            ((1 << 21) - 16, 21),
            ((1 << 21) - 15, 22),
            (usize::MAX, 22),
        ] {
            assert_eq!(window_bits(length), bits, "{length}");
        }
    }
}
