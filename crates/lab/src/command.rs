//! A run as the command that repeats it.

use crate::run::Request;
use data::read::Role;
use report::record::quoted;
use std::path::Path;

impl Request {
    /// The `lapidary train …` that asks for the same.
    pub fn as_command(&self) -> String {
        let mut parts = vec![format!("lapidary train --task {}", self.task)];
        let mut add = |flag: &str, value: Option<String>| parts.extend(value.map(|v| format!("--{flag} {v}")));
        let path = |path: &Path| quoted(&path.display().to_string(), '"');
        add("data", self.data.folder.as_deref().map(path));
        add("train", self.data.train.as_deref().map(path));
        add("validation", self.data.validation.as_deref().map(path));
        add("test", self.data.test.as_deref().map(path));
        let named = |role: Role| Some(format!("{}={}", role.name(), self.data.columns.get(role)?));
        let columns: Vec<String> = Role::ALL.into_iter().filter_map(named).collect();
        add("columns", Some(columns.join(",")).filter(|c| !c.is_empty()).map(|c| quoted(&c, '"')));
        for (flag, on) in [("--skip-bad-rows", self.data.skip_bad_rows), ("--edited", self.edited), ("--trial", self.trial)] {
            parts.extend(on.then(|| flag.to_string()));
        }
        let mut add = |flag: &str, value: Option<String>| parts.extend(value.map(|v| format!("--{flag} {v}")));
        add("schema", self.data.schema.as_deref().map(path));
        add("database", self.data.database.as_deref().map(path));
        add("model", Some(quoted(&self.model, '"')));
        add("method", Some(self.method.clone()));
        add("device", Some(self.device.clone()));
        add("recipe", self.recipe.as_deref().map(path));
        for set in &self.set {
            add("set", Some(quoted(set, '\'')));
        }
        add("rows", self.rows.map(|n| n.to_string()));
        add("seed", Some(self.seed.to_string()));
        add("out", Some(path(&self.out)));
        parts.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data::set::Source;

    #[test]
    fn every_choice_is_in_the_command() {
        let request = Request {
            task: "intent".into(),
            data: Source { folder: Some("my data".into()), columns: data::read::Columns::parse("text=q,label=k").expect("roles"), ..Source::default() },
            model: "m".into(),
            method: "head".into(),
            device: "cpu".into(),
            recipe: None,
            set: vec!["epochs=3".into(), "template.it={text} →".into()],
            rows: Some(60),
            seed: 7,
            edited: true,
            trial: true,
            out: "runs/a".into(),
            command: String::new(),
        };
        assert_eq!(
            request.as_command(),
            "lapidary train --task intent --data \"my data\" --columns text=q,label=k --edited --trial --model m --method head --device cpu --set epochs=3 --set \
             'template.it={text} →' --rows 60 --seed 7 --out runs/a"
        );
    }
}
