//! A multipart form with one file, for uploading a picture.

use crate::http::Body;

/// A `multipart/form-data` body of text fields and one file.
#[derive(Debug)]
pub struct Form {
    fields: Vec<(&'static str, String)>,
    file: (&'static str, &'static str, Vec<u8>),
}

impl Form {
    /// A form whose file is a PNG, in the field `name`.
    pub fn of_picture(name: &'static str, png: Vec<u8>) -> Self {
        Self {
            fields: Vec::new(),
            file: (name, "picture.png", png),
        }
    }

    /// Adds a text field.
    pub fn field(&mut self, name: &'static str, value: String) {
        self.fields.push((name, value));
    }

    /// The body, with a boundary that occurs nowhere in its content.
    pub fn into_body(self) -> Body {
        let boundary = self.boundary();
        let mut bytes = Vec::with_capacity(self.file.2.len() + 2048);
        for (name, value) in &self.fields {
            let head = format!(
                "--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            );
            bytes.extend_from_slice(head.as_bytes());
        }
        let (name, file, content) = &self.file;
        let head = format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"{file}\"\r\n\
             content-type: image/png\r\n\r\n"
        );
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(content);
        bytes.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        Body {
            content_type: format!("multipart/form-data; boundary={boundary}"),
            bytes,
        }
    }

    /// A boundary that occurs nowhere in the content.
    fn boundary(&self) -> String {
        let mut boundary = String::from("openclaw-form-border");
        let stands_in = |text: &[u8], boundary: &str| {
            text.windows(boundary.len())
                .any(|part| part == boundary.as_bytes())
        };
        // Longer each time, so that it ends.
        while stands_in(&self.file.2, &boundary)
            || self
                .fields
                .iter()
                .any(|(_, value)| stands_in(value.as_bytes(), &boundary))
        {
            boundary.push('x');
        }
        boundary
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_it_cannot_end_it() {
        let mut form = Form::of_picture("photo", b"\r\n--openclaw-form-borderx--".to_vec());
        form.field("caption", "--openclaw-form-border\r\n".to_owned());
        let body = form.into_body();
        assert_eq!(
            body.content_type,
            "multipart/form-data; boundary=openclaw-form-borderxx"
        );
        let text = String::from_utf8(body.bytes).unwrap();
        assert_eq!(
            text,
            "--openclaw-form-borderxx\r\ncontent-disposition: form-data; name=\"caption\"\r\n\r\n\
             --openclaw-form-border\r\n\r\n--openclaw-form-borderxx\r\n\
             content-disposition: form-data; name=\"photo\"; filename=\"picture.png\"\r\n\
             content-type: image/png\r\n\r\n\r\n--openclaw-form-borderx--\r\n--openclaw-form-borderxx--\r\n"
        );
    }
}
