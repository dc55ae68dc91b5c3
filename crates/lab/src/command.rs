//! A run, or a study, as the command that repeats it.

use crate::run::Request;
use crate::study::{Study, size};
use data::read::Role;
use report::record::quoted;
use std::path::Path;

/// A path as a person types it in a command.
pub(crate) fn typed(path: &Path) -> String {
    quoted(&path.display().to_string(), '"')
}

impl Request {
    /// The `lapidary train …` that asks for the same.
    pub fn as_command(&self) -> String {
        let rows = self.rows.map(|n| ("rows", n.to_string()));
        self.command_of("train", ("method", &self.method), rows.into_iter().chain([("seed", self.seed.to_string())]), &self.out)
    }

    /// The command of this name on the same data, with the same model and settings; `drawn` says by what its runs differ.
    fn command_of(&self, name: &str, (method, methods): (&str, &str), drawn: impl IntoIterator<Item = (&'static str, String)>, out: &Path) -> String {
        let mut parts = vec![format!("lapidary {name} --task {}", self.task)];
        let mut add = |flag: &str, value: Option<String>| parts.extend(value.map(|v| format!("--{flag} {v}")));
        add("data", self.data.folder.as_deref().map(typed));
        add("train", self.data.train.as_deref().map(typed));
        add("validation", self.data.validation.as_deref().map(typed));
        add("test", self.data.test.as_deref().map(typed));
        let named = |role: Role| Some(format!("{}={}", role.name(), self.data.columns.get(role)?));
        let columns: Vec<String> = Role::ALL.into_iter().filter_map(named).collect();
        add("columns", Some(columns.join(",")).filter(|c| !c.is_empty()).map(|c| quoted(&c, '"')));
        for (flag, on) in [("--skip-bad-rows", self.data.skip_bad_rows), ("--edited", self.edited), ("--trial", self.trial)] {
            parts.extend(on.then(|| flag.to_string()));
        }
        let mut add = |flag: &str, value: Option<String>| parts.extend(value.map(|v| format!("--{flag} {v}")));
        add("schema", self.data.schema.as_deref().map(typed));
        add("database", self.data.database.as_deref().map(typed));
        add("model", Some(quoted(&self.model, '"')));
        add(method, Some(methods.into()));
        add("device", Some(self.device.clone()));
        add("recipe", self.recipe.as_deref().map(typed));
        for set in &self.set {
            add("set", Some(quoted(set, '\'')));
        }
        for (flag, value) in drawn {
            add(flag, Some(value));
        }
        add("out", Some(typed(out)));
        parts.join(" ")
    }
}

impl Study {
    /// The `lapidary study …` that asks for the same.
    pub fn as_command(&self) -> String {
        let sizes: Vec<String> = self.sizes.iter().map(|&rows| size(rows)).collect();
        let seeds: Vec<String> = self.seeds.iter().map(u64::to_string).collect();
        self.common.command_of("study", ("methods", &self.methods.join(",")), [("sizes", sizes.join(",")), ("seeds", seeds.join(","))], &self.out)
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
        let study = Study {
            common: Request { data: Source { folder: Some("set".into()), ..Source::default() }, edited: false, trial: false, ..request },
            methods: vec!["head".into(), "completion".into()],
            sizes: vec![Some(30), None],
            seeds: vec![0, 7],
            out: "studies/a b".into(),
        };
        assert_eq!(
            study.as_command(),
            "lapidary study --task intent --data set --model m --methods head,completion --device cpu --set epochs=3 --set 'template.it={text} →' --sizes 30,all \
             --seeds 0,7 --out \"studies/a b\""
        );
    }
}
