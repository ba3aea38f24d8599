//! Completions: shells read what is printed for them, and complete by it.

use super::needs::are_installed;
use super::scene::Scene;
use std::process::{Command, Stdio};

/// A scene with the completions for a shell in `completions`.
fn completions(shell: &str) -> (Scene, String) {
    let scene = Scene::new();
    let output = scene.command(&["completions", shell]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let script = String::from_utf8(output.stdout).unwrap();
    std::fs::write(scene.path().join("completions"), &script).unwrap();
    (scene, script)
}

/// The lines that a command prints, which must tell no trouble.
fn lines(command: &mut Command) -> Vec<String> {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{command:?}: {stdout}{}", String::from_utf8_lossy(&output.stderr));
    stdout.lines().map(str::to_owned).collect()
}

/// What somebody types, and what must be offered.
const TYPED: [(&str, &[&str]); 4] = [
    ("notafter ga", &["gate"]),
    ("notafter gate --cand", &["--candidate"]),
    ("notafter gate --depth ", &["quick", "full"]),
    ("notafter plan --color al", &["always"]),
];

#[test]
fn bash_completes_commands_options_and_their_values() {
    if !are_installed(&["bash"]) {
        return;
    }
    let (scene, _) = completions("bash");
    // As Readline calls it: the words so far, the number of the last one, and the function that was registered.
    let complete = "source ./completions || exit 9\n\
         registered=$(complete -p notafter) || exit 8\n\
         function=${registered#* -F }; function=${function%% *}\n\
         COMP_LINE=$1 COMP_POINT=${#1}\n\
         read -ra COMP_WORDS <<<\"$1\"\n\
         case $1 in *' ') COMP_WORDS+=('') ;; esac\n\
         COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n\
         \"$function\" notafter \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"\n\
         printf '%s\\n' \"${COMPREPLY[@]}\"";
    let offered = |typed: &str| {
        let mut bash = Command::new("bash");
        bash.args(["--norc", "--noprofile", "-c", complete, "bash", typed]).current_dir(scene.path());
        lines(&mut bash)
    };
    for (typed, expected) in TYPED {
        assert_eq!(offered(typed), expected, "{typed}");
    }
    // The library's script for fish knows no values of arguments without a name.
    assert_eq!(offered("notafter completions z"), ["zsh"]);
    // Every command that the help names, and nothing that it hides.
    let help = scene.run(&["--help"]);
    let commands = help.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    let mut commands: Vec<&str> = commands
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .map(|line| line.split_whitespace().next().unwrap())
        .collect();
    let mut all = offered("notafter ");
    all.retain(|word| !word.starts_with('-'));
    all.sort();
    commands.sort_unstable();
    assert_eq!(all, commands);
    assert!(commands.contains(&"completions") && commands.contains(&"man"), "{commands:?}");
}

#[test]
fn fish_completes_commands_options_and_their_values() {
    if !are_installed(&["fish"]) {
        return;
    }
    let (scene, _) = completions("fish");
    for (typed, expected) in TYPED {
        let mut fish = Command::new("fish");
        fish.args(["--no-config", "-c", "source completions; complete -C \"$argv[1]\"", typed]);
        let offered = lines(fish.current_dir(scene.path()).env("HOME", scene.path()));
        let mut words: Vec<&str> = offered
            .iter()
            .map(|line| line.split('\t').next().unwrap())
            .filter(|word| !word.is_empty())
            .collect();
        let mut expected = expected.to_vec();
        words.sort_unstable();
        expected.sort_unstable();
        assert_eq!(words, expected, "{typed}");
    }
}

/// It completes on a terminal alone; that it takes the script and calls our function for our name can be asked of it.
#[test]
fn zsh_takes_the_function_for_our_name() {
    if !are_installed(&["zsh"]) {
        return;
    }
    let (scene, script) = completions("zsh");
    assert!(script.starts_with("#compdef notafter\n"), "{script}");
    let mut zsh = Command::new("zsh");
    zsh.args([
        "-f",
        "-c",
        "autoload -U compinit && compinit -D -u && source ./completions && print -- $_comps[notafter] && \
         whence -w $_comps[notafter] _notafter_commands",
    ]);
    let told = lines(zsh.current_dir(scene.path()).env("HOME", scene.path()));
    assert_eq!(told, ["_notafter", "_notafter: function", "_notafter_commands: function"]);
}

#[test]
fn elvish_and_powershell_are_told_of_every_depth() {
    for (shell, registers) in [
        ("elvish", "edit:completion:arg-completer[notafter]"),
        ("powershell", "Register-ArgumentCompleter -Native -CommandName 'notafter'"),
    ] {
        let (_, script) = completions(shell);
        for words in [registers, "notafter;gate", "--candidate", "Judges one build"] {
            assert!(script.contains(words), "{shell}: {words}");
        }
    }
}

#[test]
fn a_shell_that_is_none_is_a_mistake() {
    let text = Scene::new().run(&["completions", "cmd"]);
    assert!(text.starts_with("exit 2\n"), "{text}");
    assert!(text.contains("possible values: bash, elvish, fish, powershell, zsh"), "{text}");
}
