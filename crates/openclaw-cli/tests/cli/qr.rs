//! QR codes are scanned as they were drawn.

use openclaw_cli::qr::{MAX_COLUMNS, QrError, render_png, render_terminal};
use rqrr::{PreparedImage, SimpleGrid};

/// About as long as a setup code gets.
fn setup_code() -> String {
    "eyJ1cmwiOiJ3c3M6Ly9nYXRld2F5LmV4YW1wbGUub3JnIiwidG9rZW4iOiJBQUFB_-".repeat(5)
}

/// What is light, row by row, as a dark terminal shows it.
fn lit(drawn: &str) -> Vec<Vec<bool>> {
    let mut rows = Vec::new();
    for line in drawn.lines() {
        let halves = line.chars().map(|c| match c {
            '█' => (true, true),
            '▀' => (true, false),
            '▄' => (false, true),
            ' ' => (false, false),
            other => unreachable!("{other:?} in a QR code"),
        });
        let (upper, lower) = halves.unzip();
        rows.extend([upper, lower]);
    }
    rows
}

fn scan(dark: impl Fn(usize, usize) -> bool, size: usize) -> String {
    let grid = SimpleGrid::from_func(size, dark);
    rqrr::Grid::new(grid).decode().unwrap().1
}

#[test]
fn a_terminal_shows_what_was_meant() {
    for text in ["a", "wss://gateway.example.org/ä?x=1", &setup_code()] {
        let drawn = render_terminal(text, false).unwrap();
        let rows = lit(&drawn);
        let side = rows[0].len();
        assert!(side <= MAX_COLUMNS);
        assert!(rows.iter().all(|row| row.len() == side), "a ragged edge");
        assert!(rows.len() == side || rows.len() == side + 1);
        // Four modules of light on each side.
        for edge in (0..4).chain(side - 4..side) {
            assert!(rows[edge].iter().all(|light| *light), "row {edge}");
            assert!(rows.iter().all(|row| row[edge]), "column {edge}");
        }
        assert_eq!(scan(|x, y| !rows[y + 4][x + 4], side - 8), text);
    }
}

#[test]
fn a_camera_finds_it_on_the_screen() {
    let text = setup_code();
    let rows = lit(&render_terminal(&text, false).unwrap());
    // The dark terminal around it, and four pixels a module.
    let (scale, margin) = (4, 40);
    let size = rows[0].len() * scale + 2 * margin;
    let mut image = PreparedImage::prepare_from_greyscale(size, size, |x, y| {
        let module = |at: usize| at.checked_sub(margin).map(|at| at / scale);
        let row = module(y).and_then(|y| rows.get(y));
        let light = row.zip(module(x)).and_then(|(row, x)| row.get(x));
        if *light.unwrap_or(&false) { 230 } else { 20 }
    });
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1);
    assert_eq!(grids[0].decode().unwrap().1, text);
}

#[test]
fn t51_colours_end_with_their_line() {
    let plain = render_terminal("a", false).unwrap();
    assert!(!plain.contains('\u{1b}'));
    let colored = render_terminal("a", true).unwrap();
    assert!(colored.ends_with("\u{1b}[0m\n"));
    for (line, plain) in colored.lines().zip(plain.lines()) {
        let bare = line.strip_prefix("\u{1b}[38;5;231;48;5;16m").unwrap();
        assert_eq!(bare.strip_suffix("\u{1b}[0m").unwrap(), plain);
    }
}

#[test]
fn t51_what_does_not_fit_is_refused() {
    // The last that fits, the first that does not, and what no code holds.
    let widest = render_terminal(&"a".repeat(425), false).unwrap();
    assert_eq!(lit(&widest)[0].len(), 77);
    let error = render_terminal(&"secret".repeat(71), false).unwrap_err();
    assert!(matches!(error, QrError::Wide { columns: 81 }));
    assert_eq!(
        error.to_string(),
        "the QR code is 81 columns wide, and at most 80 are shown"
    );
    let error = render_terminal(&"secret".repeat(1000), false).unwrap_err();
    assert_eq!(
        error.to_string(),
        "6000 bytes are more than a QR code holds"
    );
    // A picture may be wider than a terminal.
    assert!(render_png(&"a".repeat(1000), &mut Vec::new()).is_ok());
}

#[test]
fn a_picture_shows_what_was_meant() {
    let text = setup_code();
    let mut file = Vec::new();
    render_png(&text, &mut file).unwrap();
    let mut reader = png::Decoder::new(std::io::Cursor::new(&file))
        .read_info()
        .unwrap();
    let mut bits = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bits).unwrap();
    assert_eq!(
        (info.color_type, info.bit_depth),
        (png::ColorType::Grayscale, png::BitDepth::One)
    );
    let size = info.width as usize;
    assert_eq!((info.height as usize, size % 8), (size, 0));
    let light = |x: usize, y: usize| bits[y * info.line_size + x / 8] >> (7 - x % 8) & 1 == 1;
    let mut image =
        PreparedImage::prepare_from_greyscale(size, size, |x, y| if light(x, y) { 255 } else { 0 });
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1);
    assert_eq!(grids[0].decode().unwrap().1, text);
}

#[test]
fn a_picture_that_cannot_be_written_is_an_error() {
    let mut full = [0; 16];
    let error = render_png("a", &mut full[..]).unwrap_err();
    assert!(matches!(error, QrError::Write(_)));
}
