//! `${NAME}` in texts.

use zeroize::Zeroizing;

use crate::tree::{Node, Value};

/// The variables that `env.vars`, or `env` itself, sets: literal texts, of which the last counts.
pub(super) fn inline(root: &Node) -> Vec<(String, Zeroizing<String>)> {
    let Some(env) = root.member("env") else {
        return Vec::new();
    };
    let vars = env.member("vars").map(Node::members).unwrap_or_default();
    let all = env.members().iter().chain(vars);
    all.filter_map(|member| Some((member.key.clone(), member.node.text()?.clone())))
        .collect()
}

/// Substitutes the variables of every text in the tree. A text with one that is not set becomes
/// [`Value::Unset`].
pub(super) fn substitute(node: &mut Node, lookup: &dyn Fn(&str) -> Option<Zeroizing<String>>) {
    match &mut node.value {
        Value::Text(text) if text.contains("${") => {
            node.value = match filled(text, lookup) {
                Ok(text) => Value::Text(text),
                Err(Unset(name)) => Value::Unset(name.to_owned()),
            }
        }
        Value::List(nodes) => nodes.iter_mut().for_each(|node| substitute(node, lookup)),
        Value::Table(members) => {
            for member in members {
                substitute(&mut member.node, lookup);
            }
        }
        _ => {}
    }
}

/// A variable is not set.
struct Unset<'t>(&'t str);

/// The text with its variables replaced; `$${NAME}` stands for `${NAME}`. A value is not looked at again.
fn filled<'t>(
    text: &'t str,
    lookup: &dyn Fn(&str) -> Option<Zeroizing<String>>,
) -> Result<Zeroizing<String>, Unset<'t>> {
    let mut filled = Zeroizing::new(String::new());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        filled.push_str(before);
        let Some(name) = name(from) else {
            filled.push_str("${");
            rest = &from[2..];
            continue;
        };
        if before.ends_with('$') {
            // The escape's own dollar is there already; take it for the variable's.
            filled.push_str(&from[1..name.len() + 3]);
        } else {
            filled.push_str(&lookup(name).ok_or(Unset(name))?);
        }
        rest = &from[name.len() + 3..];
    }
    filled.push_str(rest);
    Ok(filled)
}

/// The name in the `${NAME}` that begins here: capitals, digits and underscores.
fn name(text: &str) -> Option<&str> {
    let (name, _) = text.strip_prefix("${")?.split_once('}')?;
    is_name(name).then_some(name)
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    let is_first = bytes
        .next()
        .is_some_and(|b| b.is_ascii_uppercase() || b == b'_');
    is_first && bytes.all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

/// Whether something in it looks like a variable that was not substituted, so that it is no secret and names
/// nobody.
pub(crate) fn is_reference_left(text: &str) -> bool {
    text.contains("${")
}

/// The name in a text that is a short reference and nothing else: `$NAME`.
pub(crate) fn name_of_short(text: &str) -> Option<&str> {
    let name = text.trim().strip_prefix('$')?;
    let starts = name.starts_with(|c: char| c.is_ascii_uppercase());
    (starts && name.len() <= 128 && is_name(name)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str) -> Result<String, String> {
        let lookup = |name: &str| {
            let known = [("A", "one"), ("B_2", "${A}"), ("_C", "$")];
            let found = known.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| Zeroizing::new((*value).to_owned()))
        };
        let filled = filled(text, &lookup);
        filled
            .map(|text| text.to_string())
            .map_err(|Unset(name)| name.to_owned())
    }

    #[test]
    fn variables_are_substituted_anywhere_and_once() {
        for (text, expected) in [
            ("${A}", "one"),
            ("x${A}y${A}", "xoneyone"),
            ("${B_2}", "${A}"),
            ("${_C}{A}", "${A}"),
            ("$${A}", "${A}"),
            ("ä$${A}${A}", "ä${A}one"),
            ("${a} ${A", "${a} ${A"),
            ("${} ${1A} ${A B}", "${} ${1A} ${A B}"),
            ("${x${A}", "${xone"),
        ] {
            assert_eq!(fill(text).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(fill("${A} ${NONE}"), Err("NONE".to_owned()));
    }

    #[test]
    fn short_references() {
        assert_eq!(name_of_short(" $A_1 "), Some("A_1"));
        for other in ["$a", "$1", "$_A", "$A b", "A", "$", "$A$B", "$5UPPER"] {
            assert_eq!(name_of_short(other), None, "{other}");
        }
    }
}
