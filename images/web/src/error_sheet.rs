//! A style sheet that shows a compile error in the page.

/// A style sheet that puts the message above everything on the page. Browsers apply it only with a
/// successful status.
pub(crate) fn error_sheet(message: &str) -> String {
    format!(
        "/* {comment} */\n\
         body::before {{\n  \
           content: \"{text}\";\n  \
           display: block;\n  position: relative;\n  z-index: 2147483647;\n  margin: 0;\n  padding: 1em;\n  \
           color: #7a0b0b;\n  background: #fff3f2;\n  border-bottom: 4px solid #c62828;\n  \
           font: 14px/1.5 ui-monospace, Menlo, Consolas, monospace;\n  text-align: left;\n  \
           white-space: pre-wrap;\n  overflow-wrap: anywhere;\n\
         }}\n",
        comment = message.replace("*/", "*\\/"),
        text = css_string(message),
    )
}

/// The text as the inside of a CSS string (CSS Syntax §4.3.5): nothing in it can end the string.
fn css_string(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '"' | '\\' | '<' | '>' => format!("\\{:x} ", u32::from(c)),
            c if c.is_control() => format!("\\{:x} ", u32::from(c)),
            c => c.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_cannot_leave_its_string_or_its_comment() {
        let sheet = error_sheet("a \"b\"\n\\ */ body{} </style>");
        assert!(sheet.contains(r#"content: "a \22 b\22 \a \5c  */ body{} \3c /style\3e ";"#), "{sheet}");
        assert!(sheet.starts_with("/* a \"b\"\n\\ *\\/ body{} </style> */\n"), "{sheet}");
        assert_eq!(sheet.matches("*/").count(), 2, "{sheet}");
    }
}
