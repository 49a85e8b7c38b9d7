//! QR codes: for a terminal, as a picture, and as modules for others to draw.
//!
//! They have the lowest level of error correction: a screen has no scratches, and a smaller code is easier to
//! scan. The text of a code may be a secret, and is in no error.

use std::io::{self, Write};

use qrcode::{Color, EcLevel, QrCode};

/// Maximum width of a code on a terminal, in columns.
pub const MAX_COLUMNS: usize = 80;

/// The light border that scanners need, in modules.
const QUIET_ZONE: usize = 4;

/// White on black, from the part of the palette that themes do not change.
const WHITE_ON_BLACK: &str = "\x1b[38;5;231;48;5;16m";
const RESET: &str = "\x1b[0m";

/// The QR code cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QrError {
    /// The text is too long for a QR code.
    #[error("{bytes} bytes are more than a QR code holds")]
    Long {
        /// Its length.
        bytes: usize,
    },
    /// Its lines would be wrapped, and could not be scanned.
    #[error("the QR code is {columns} columns wide, and at most {MAX_COLUMNS} are shown")]
    Wide {
        /// Its width.
        columns: usize,
    },
    /// The picture cannot be written.
    #[error("cannot write the picture")]
    Write(#[source] io::Error),
}

/// Draws a QR code in half blocks, two rows of modules to a line; never wider than [`MAX_COLUMNS`].
///
/// The light modules are painted, so it is right on a dark terminal. `colored` adds colours that make it
/// right on any terminal. Each line sets and resets them, so that nothing beside or below it is coloured.
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

/// Returns the rows of a QR code from the top, with a character for each module: `1` is dark, `0` is light.
/// It has to be drawn with a border of four light modules.
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
        // The text is encoded as bytes, so only its length can be wrong.
        let code = QrCode::with_error_correction_level(text, EcLevel::L);
        let code = code.map_err(|_| QrError::Long { bytes: text.len() })?;
        Ok(Self {
            width: code.width(),
            colors: code.into_colors(),
        })
    }

    /// The width, including the border.
    fn side(&self) -> usize {
        self.width + 2 * QUIET_ZONE
    }

    /// The border is light.
    fn is_light(&self, x: usize, y: usize) -> bool {
        let inside = |at: usize| at.checked_sub(QUIET_ZONE).filter(|at| *at < self.width);
        let color = inside(x).zip(inside(y)).map(|(x, y)| y * self.width + x);
        color.and_then(|at| self.colors.get(at)) != Some(&Color::Dark)
    }
}
