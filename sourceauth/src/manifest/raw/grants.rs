//! The table `[grants]`: what the image asks the nodes for that host it.

use super::{Checked, Lines};
use crate::grants::{EnvironmentName, FolderGrant, GrantError, Grants, Remote};
use crate::limits::{
    ENVIRONMENT_MAX, ENVIRONMENT_NAME_BYTES_MAX, FOLDER_BYTES_MAX, FOLDERS_MAX, OUTBOUND_BYTES_MAX, OUTBOUND_MAX,
};
use crate::manifest::Runtime;
use serde::Deserialize;
use std::str::FromStr;
use toml::Spanned;

type Texts = Option<Spanned<Vec<Spanned<String>>>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGrants {
    outbound: Texts,
    folders: Texts,
    environment: Texts,
}

impl Lines<'_> {
    pub(super) fn grants(&self, runtime: Runtime, raw: &RawGrants) -> Checked<Grants> {
        let outbound: Vec<Remote> = self.granted("grants.outbound", &raw.outbound, OUTBOUND_MAX, OUTBOUND_BYTES_MAX)?;
        let first = raw.outbound.as_ref().and_then(|list| list.get_ref().first());
        if let (Runtime::Process, Some(first)) = (runtime, first) {
            return Err(self.value("grants.outbound", first, "none: a process of an image has no sockets"));
        }
        Ok(Grants {
            outbound,
            folders: self.granted::<FolderGrant>("grants.folders", &raw.folders, FOLDERS_MAX, FOLDER_BYTES_MAX + 3)?,
            environment: self.granted::<EnvironmentName>(
                "grants.environment",
                &raw.environment,
                ENVIRONMENT_MAX,
                ENVIRONMENT_NAME_BYTES_MAX,
            )?,
        })
    }

    fn granted<T: FromStr<Err = GrantError>>(
        &self,
        key: &'static str,
        list: &Texts,
        count_max: usize,
        bytes_max: usize,
    ) -> Checked<Vec<T>> {
        let Some(list) = list else { return Ok(Vec::new()) };
        let texts = self.few(key, list, count_max)?.iter();
        let read =
            |text| self.short(key, text, bytes_max)?.parse().map_err(|e: GrantError| self.value(key, text, e.expected));
        texts.map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{GRANTS_CAPABILITY, Manifest, PROCESS_CAPABILITY};

    const HEAD: &str = "name = \"x\"\nruntime = \"wasm\"\ncode = \"x.wasm\"\n[[actor]]\nname = \"X\"\n[grants]\n";

    fn read(lines: &str) -> Result<Manifest, String> {
        Manifest::parse(&format!("{HEAD}{lines}")).map_err(|e| e.to_string())
    }

    #[test]
    fn a_manifest_asks_for_what_its_grants_say() {
        let manifest = read(
            "outbound = [\"db.example.org:5432\", \"10.0.0.0/8:443\"]\nfolders = [\"/srv/data\", \"/srv/out:rw\"]\n\
             environment = [\"ZONE\"]\n",
        );
        let manifest = manifest.unwrap();
        let grants = &manifest.grants;
        let texts: Vec<String> = grants.outbound.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["db.example.org:5432", "10.0.0.0/8:443"]);
        assert_eq!(grants.folders.iter().map(FolderGrant::write).collect::<Vec<_>>(), [false, true]);
        assert_eq!(grants.environment[0].as_str(), "ZONE");
        assert_eq!(manifest.required(&manifest.actors[0]), [GRANTS_CAPABILITY]);
        let nothing = read("").unwrap();
        assert!(nothing.grants.is_empty() && nothing.required(&nothing.actors[0]).is_empty());
    }

    #[test]
    fn what_is_wrong_with_a_grant_names_its_line_and_key() {
        for (lines, start) in [
            ("outbound = [\"a:1\",\n\"db\"]", "odeon.toml line 8, grants.outbound: found \"db\", expected HOST:PORT"),
            ("folders = [\"srv\"]", "odeon.toml line 7, grants.folders: found \"srv\", expected the whole path"),
            ("environment = [\"A=B\"]", "odeon.toml line 7, grants.environment: found \"A=B\", expected a letter"),
            (
                "environment = [\"ODEON_JOIN\"]",
                "odeon.toml line 7, grants.environment: found \"ODEON_JOIN\", expected another",
            ),
            ("clocks = true", "odeon.toml line 7: unknown field `clocks`, expected one of"),
            ("folders = \"/srv\"", "odeon.toml line 7: invalid type: string"),
            ("outbound = [3]", "odeon.toml line 7: invalid type: integer"),
        ] {
            let found = read(lines).unwrap_err();
            assert!(found.starts_with(start), "{found}");
        }
    }

    #[test]
    fn every_list_and_every_entry_is_bounded() {
        for (key, entry, max) in [
            ("outbound", "\"a:1\",", OUTBOUND_MAX),
            ("folders", "\"/a\",", FOLDERS_MAX),
            ("environment", "\"A\",", ENVIRONMENT_MAX),
        ] {
            assert!(read(&format!("{key} = [{}]", entry.repeat(max))).is_ok());
            let found = read(&format!("{key} = [{}]", entry.repeat(max + 1))).unwrap_err();
            assert_eq!(
                found,
                format!("odeon.toml line 7, grants.{key}: found {} entries, expected at most {max}", max + 1)
            );
        }
        for (key, max) in [
            ("outbound", OUTBOUND_BYTES_MAX),
            ("folders", FOLDER_BYTES_MAX + 3),
            ("environment", ENVIRONMENT_NAME_BYTES_MAX),
        ] {
            let found = read(&format!("{key} = [\"{}\"]", "a".repeat(max + 1))).unwrap_err();
            assert!(found.ends_with(&format!("found {} bytes, expected at most {max}", max + 1)), "{found}");
        }
    }

    #[test]
    fn a_process_has_folders_and_an_environment_but_no_sockets() {
        let process = |lines: &str| Manifest::parse(&format!("{HEAD}{lines}").replace("wasm\"", "process\""));
        let manifest = process("folders = [\"/srv\"]\nenvironment = [\"ZONE\"]").unwrap();
        assert_eq!(manifest.required(&manifest.actors[0]), [PROCESS_CAPABILITY, GRANTS_CAPABILITY]);
        let refused = process("outbound = [\"db:1\"]").unwrap_err().to_string();
        assert_eq!(
            refused,
            "odeon.toml line 7, grants.outbound: found \"db:1\", expected none: a process of an image has no sockets"
        );
    }
}
