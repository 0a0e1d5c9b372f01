//! Properties of edit lists: whatever a server sends, nothing panics and nothing changes unsaid.

use inferometer::protocol::gradio::apply_edits;
use proptest::prelude::*;
use serde_json::{Value, json};

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3i64..12).prop_map(Value::from),
        "[a-cü]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-c]", inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn any_edit() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        (-1i64..5).prop_map(Value::from),
        "[a-c0-3]".prop_map(Value::from)
    ];
    let action = prop_oneof![
        Just("replace"),
        Just("append"),
        Just("add"),
        Just("delete"),
        Just("?")
    ];
    (action, prop::collection::vec(key, 0..4), any_json())
        .prop_map(|(action, path, value)| json!([action, path, value]))
}

proptest! {
    #[test]
    fn no_edit_panics_and_an_untold_change_is_none(
        before in any_json(),
        edits in prop::collection::vec(prop_oneof![4 => any_edit(), 1 => any_json()], 0..5),
    ) {
        let mut value = before.clone();
        if apply_edits(&mut value, &Value::from(edits)) == Ok(false) {
            prop_assert_eq!(value, before);
        }
    }

    #[test]
    fn appended_parts_add_up(parts in prop::collection::vec("\\PC{0,6}", 0..20)) {
        let mut value = json!({"v": [""]});
        for part in &parts {
            let told = apply_edits(&mut value, &json!([["append", ["v", 0], part]]));
            prop_assert_eq!(told, Ok(!part.is_empty()));
        }
        prop_assert_eq!(&value["v"][0], &json!(parts.concat()));
    }
}
