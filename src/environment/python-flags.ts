/*
 * How Python is started, wherever that is. -X utf8: names of files and what is printed are UTF-8 whatever the
 * locale says, and whatever PYTHONUTF8 says. Neither kind takes a file named random.py in the caller's folder
 * for a module.
 */
const UTF8 = ["-X", "utf8"];

/** With the caller's PYTHON* variables and packages. */
export const SAFE_PATH = ["-P", ...UTF8];

/** Without the PYTHON* variables and the user's site-packages. */
export const ISOLATED = ["-I", ...UTF8];
