//! Decodes a QR code in a screenshot, as a phone's camera would.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use png::{Decoder, Transformations};

use crate::Failure;

/// Returns the text of the only QR code in an image.
pub(crate) fn decode(path: &Path) -> Result<String, Failure> {
    let mut decoder = Decoder::new(BufReader::new(File::open(path)?));
    decoder.set_transformations(Transformations::normalize_to_color8());
    let mut reader = decoder.read_info()?;
    let mut pixels = vec![
        0;
        reader
            .output_buffer_size()
            .ok_or("the picture is too large")?
    ];
    let shape = reader.next_frame(&mut pixels)?;
    let samples = shape.color_type.samples();
    let (width, height) = (
        usize::try_from(shape.width)?,
        usize::try_from(shape.height)?,
    );
    // The first sample is grey or red, which is enough for black on white.
    let bright = |x: usize, y: usize| pixels.get((y * width + x) * samples).copied();
    let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| {
        bright(x, y).unwrap_or(u8::MAX)
    });
    match prepared.detect_grids().as_slice() {
        [grid] => Ok(grid.decode()?.1),
        grids => Err(format!("{} QR codes in the picture, not one", grids.len()).into()),
    }
}
