//! QR codes, for a terminal, as a picture and as modules for others to draw.
//!
//! At the lowest level of error correction: a screen has no scratches, and a smaller code is easier to
//! scan. What is in a code may be a secret, and is in no error.

use std::io::{self, Write};

use qrcode::{Color, EcLevel, QrCode};

/// The widest code that a terminal is trusted to show, in columns.
pub const MAX_COLUMNS: usize = 80;

/// The light border that scanners need, in modules.
const QUIET_ZONE: usize = 4;

/// White on black out of the fixed part of the palette, which themes leave alone.
const WHITE_ON_BLACK: &str = "\x1b[38;5;231;48;5;16m";
const RESET: &str = "\x1b[0m";

/// Why there is no QR code.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QrError {
    /// No QR code holds so much.
    #[error("{bytes} bytes are more than a QR code holds")]
    Long {
        /// How much it is.
        bytes: usize,
    },
    /// It would be broken into lines that nothing can scan.
    #[error("the QR code is {columns} columns wide, and at most {MAX_COLUMNS} are shown")]
    Wide {
        /// How wide it would be.
        columns: usize,
    },
    /// The picture cannot be written.
    #[error("cannot write the picture")]
    Write(#[source] io::Error),
}

/// Draws a QR code in half blocks, two rows of modules to a line; never wider than [`MAX_COLUMNS`].
///
/// What is painted are the light modules, so that it is right on a dark terminal as it is. `colored` adds
/// the colours that make it right on any; each line sets them and sets them back, so that neither the end
/// of a line nor what comes below is painted.
pub fn render_terminal(text: &str, colored: bool) -> Result<String, QrError> {
    let modules = Modules::of(text)?;
    let columns = modules.side();
    if columns > MAX_COLUMNS {
        return Err(QrError::Wide { columns });
    }
    let (begin, end) = if colored {
        (WHITE_ON_BLACK, RESET)
    } else {
        ("", "")
    };
    let mut drawn = String::new();
    for y in (0..columns).step_by(2) {
        drawn.push_str(begin);
        for x in 0..columns {
            drawn.push(match (modules.is_light(x, y), modules.is_light(x, y + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        drawn.push_str(end);
        drawn.push('\n');
    }
    Ok(drawn)
}

/// A QR code as its rows from the top, a character for each module: `1` where it is dark, `0` where it is
/// light. Whoever draws it leaves a border of four light modules around it.
pub fn rows(text: &str) -> Result<Vec<String>, QrError> {
    let modules = Modules::of(text)?;
    let inside = QUIET_ZONE..QUIET_ZONE + modules.width;
    let row = |y| {
        let module = |x| {
            if modules.is_light(x, y) { '0' } else { '1' }
        };
        inside.clone().map(module).collect()
    };
    Ok(inside.clone().map(row).collect())
}

/// Draws a QR code as a PNG, one bit a pixel and eight pixels a module.
///
/// The caller opens the file and sets its mode: the picture is as secret as the text.
pub fn render_png(text: &str, out: impl Write) -> Result<(), QrError> {
    let modules = Modules::of(text)?;
    let side = modules.side();
    // Eight pixels of one bit: a module is a byte.
    let rows = (0..side).flat_map(|y| {
        let row = (0..side).map(|x| if modules.is_light(x, y) { 0xff } else { 0 });
        row.collect::<Vec<u8>>().repeat(8)
    });
    let rows: Vec<u8> = rows.collect();
    let pixels = u32::try_from(8 * side).map_err(|_| QrError::Wide { columns: side })?;
    let mut encoder = png::Encoder::new(out, pixels, pixels);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let write = || {
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&rows)?;
        writer.finish()
    };
    write().map_err(|error| QrError::Write(error.into()))
}

/// The modules of a code, and the border around them.
struct Modules {
    width: usize,
    colors: Vec<Color>,
}

impl Modules {
    fn of(text: &str) -> Result<Self, QrError> {
        // The text is in the code by its bytes: nothing but its length can be wrong with it.
        let code = QrCode::with_error_correction_level(text, EcLevel::L);
        let code = code.map_err(|_| QrError::Long { bytes: text.len() })?;
        Ok(Self {
            width: code.width(),
            colors: code.into_colors(),
        })
    }

    /// The width, border included.
    fn side(&self) -> usize {
        self.width + 2 * QUIET_ZONE
    }

    /// Light is also what lies around the code.
    fn is_light(&self, x: usize, y: usize) -> bool {
        let inside = |at: usize| at.checked_sub(QUIET_ZONE).filter(|at| *at < self.width);
        let color = inside(x).zip(inside(y)).map(|(x, y)| y * self.width + x);
        color.and_then(|at| self.colors.get(at)) != Some(&Color::Dark)
    }
}
