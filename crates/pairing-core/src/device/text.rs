//! Conversion between bytes and text: base64 in either alphabet, and hexadecimal.

use base64::alphabet;
use base64::engine::{DecodePaddingMode, Engine as _, GeneralPurpose, GeneralPurposeConfig};

const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_encode_padding(false)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);

/// Encodes as base64url without padding.
pub(super) fn to_base64url(bytes: &[u8]) -> String {
    URL_SAFE.encode(bytes)
}

/// Decodes base64 in either alphabet, with or without padding. Unused trailing bits must be zero.
pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    let standard = || STANDARD.decode(text).ok();
    URL_SAFE.decode(text).ok().or_else(standard)
}

/// Decodes exactly `N` bytes from base64 in either alphabet.
pub(super) fn array_from_base64<const N: usize>(text: &str) -> Option<[u8; N]> {
    // A longer text cannot fit: four characters encode three bytes, including padding.
    if text.len() > N.div_ceil(3) * 4 {
        return None;
    }
    from_base64(text)?.try_into().ok()
}

/// Encodes as lower-case hexadecimal.
pub(super) fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    let pair = |byte: &u8| [digit(byte >> 4), digit(*byte)];
    bytes.iter().flat_map(pair).collect()
}

/// Decodes exactly `N` bytes from lower-case hexadecimal.
pub(super) fn array_from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !odd.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = value(*high)? << 4 | value(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn alphabets_are_not_mixed_and_stray_bits_refused() {
        assert_eq!(from_base64("-_-_"), from_base64("+/+/"));
        for bad in ["-/-/", "A", "AB=C", "AAB", "AA==="] {
            assert_eq!(from_base64(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn either_way_and_back(bytes: [u8; 32]) {
            let text = to_base64url(&bytes);
            let padded = format!("{}=", text.replace('-', "+").replace('_', "/"));
            prop_assert_eq!(array_from_base64(&text), Some(bytes));
            prop_assert_eq!(array_from_base64(&padded), Some(bytes));
            prop_assert_eq!(array_from_base64::<31>(&text), None);
            prop_assert_eq!(array_from_hex(&to_hex(&bytes)), Some(bytes));
        }
    }
}
