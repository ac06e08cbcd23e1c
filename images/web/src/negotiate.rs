//! Which stored content coding a visitor gets (RFC 9110 §12.5.3).

use pipeline::{key::Encoding, manifest::StoredBody};

/// Codings in the order of our preference where the visitor has none: the smallest first.
const PREFERENCE: [Encoding; 4] = [Encoding::Br11, Encoding::Br, Encoding::Gzip, Encoding::Identity];

/// The stored coding that the `Accept-Encoding` header likes best; identity where it likes none of ours,
/// since every client can read that.
pub(crate) fn choose_encoding(accept_encoding: Option<&str>, stored: &[StoredBody]) -> Encoding {
    let Some(header) = accept_encoding else { return Encoding::Identity };
    let is_stored = |encoding: &Encoding| stored.iter().any(|body| body.encoding == *encoding);
    let offers =
        PREFERENCE.into_iter().filter(is_stored).map(|encoding| (encoding, quality_of(header, encoding)));
    let mut best = (Encoding::Identity, 0.0);
    for (encoding, quality) in offers {
        if quality > best.1 {
            best = (encoding, quality);
        }
    }
    best.0
}

/// The weight that the header gives to a coding, 0 to 1.
fn quality_of(header: &str, encoding: Encoding) -> f32 {
    let mut wildcard = None;
    for (coding, quality) in header.split(',').map(parse_item) {
        if coding.eq_ignore_ascii_case(encoding.as_str()) {
            return quality;
        }
        if coding == "*" {
            wildcard = Some(quality);
        }
    }
    match (wildcard, encoding) {
        (Some(quality), _) => quality,
        // Acceptable unless it is excluded, but nobody prefers it to what they name.
        (None, Encoding::Identity) => 0.001,
        (None, Encoding::Gzip | Encoding::Br | Encoding::Br11) => 0.0,
    }
}

fn parse_item(item: &str) -> (&str, f32) {
    let mut parts = item.split(';').map(str::trim);
    let coding = parts.next().unwrap_or_default();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let quality = weight.map_or(1.0, |weight| weight.trim().parse::<f32>().unwrap_or(0.0));
    (coding, if quality.is_finite() { quality.clamp(0.0, 1.0) } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_chooses_among_what_is_stored() {
        let all = [Encoding::Identity, Encoding::Gzip, Encoding::Br]
            .map(|encoding| StoredBody { encoding, length: 1 });
        let cases = [
            (None, Encoding::Identity),
            (Some(""), Encoding::Identity),
            (Some("gzip, deflate, br, zstd"), Encoding::Br),
            (Some("GZIP"), Encoding::Gzip),
            (Some("br;q=0.5, gzip;q=0.8"), Encoding::Gzip),
            (Some("br;q=0, *"), Encoding::Gzip),
            (Some("*;q=0"), Encoding::Identity),
            (Some("identity;q=1, br;q=0.5"), Encoding::Identity),
            (Some("br;q=NaN, gzip;q=x"), Encoding::Identity),
            (Some("zstd"), Encoding::Identity),
        ];
        for (header, expected) in cases {
            assert_eq!(choose_encoding(header, &all), expected, "{header:?}");
        }
        assert_eq!(choose_encoding(Some("br"), &all[..2]), Encoding::Identity);
    }
}
