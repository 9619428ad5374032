"""One recipe per paper: `base` (what a study is), `registry` (which there are), `runner` (how one runs), `presets/*.toml`."""
