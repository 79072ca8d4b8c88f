use super::super::code::Code;
use super::super::testing::pack;
use super::*;

/// What a line does to a name, as a file of its own.
fn found(line: &str, path: &str, name: &str) -> Defines {
    let pack = pack(&[(path, line)]);
    let code = Code::of(&pack.documents[0]);
    let first = pack.documents[0].lines.get(0);
    first.map_or(Defines::No, |bytes| defines(code.line(&bytes), path, name))
}

fn check(path: &str, name: &str, expected: Defines, lines: &[&str]) {
    let wrong: Vec<&str> = lines
        .iter()
        .copied()
        .filter(|line| found(line, path, name) != expected)
        .collect();
    assert!(wrong.is_empty(), "{path}, not {expected:?}: {wrong:#?}");
}

#[test]
fn rust() {
    check(
        "a.rs",
        "foo",
        Defines::Yes,
        &[
            "fn foo() {",
            "    pub(crate) async unsafe fn foo<T>(x: T) -> u8",
            "pub const fn foo() {}",
            "struct foo;",
            "pub enum foo {",
            "trait foo: Send {",
            "mod foo;",
            "type foo = u8;",
            "pub const foo: usize = 3;",
            "static mut foo: u8 = 0;",
            "let foo = 1;",
            "    let mut foo: Vec<u8>;",
            "macro_rules! foo {",
            "#[inline] fn foo() {",
            "pub extern \"C\" fn foo(x: i32) {",
            "union foo {",
            "type foo: Send;",
        ],
    );
    check(
        "a.rs",
        "foo",
        Defines::No,
        &[
            "foo();",
            "// fn foo() {",
            "/// struct foo is",
            " * fn foo() {",
            "let x = foo;",
            "fn foobar() {",
            "fn bar(foo: u8) {",
            "\"fn foo() {\"",
            "foo = 3;",
            "self.foo = 3;",
            "use foo::Bar;",
            "impl foo {",
            "let bar = 1; // let foo = 2",
            "println!(\"fn foo\");",
            "x.foo = y",
            "if foo == 3 {",
            "foo: u8,",
            "return foo(x) {",
            "mod foo::bar",
            "",
        ],
    );
}

#[test]
fn other_languages() {
    check(
        "a.py",
        "foo",
        Defines::Yes,
        &["def foo(x):", "    async def foo():", "class foo:", "class foo(Base):"],
    );
    check(
        "a.py",
        "foo",
        Defines::Assigns,
        &["foo = 3", "    foo: int = 3", "foo=bar"],
    );
    check(
        "a.py",
        "foo",
        Defines::No,
        &[
            "foo == 3",
            "x.foo = 3",
            "# def foo():",
            "foo(3)",
            "foo: int",
            "bar = foo",
            "foo += 1",
        ],
    );
    check(
        "a.go",
        "Foo",
        Defines::Yes,
        &[
            "type Foo struct {",
            "func Foo() {",
            "func (r *T) Foo() int {",
            "var Foo int",
        ],
    );
    check("a.go", "foo", Defines::Assigns, &["foo := 3"]);
    check("a.go", "foo", Defines::No, &["foo = 3", "foo()"]);
    check(
        "a.c",
        "foo",
        Defines::Yes,
        &[
            "int foo(int x) {",
            "static inline foo_t *foo(void)",
            "#define foo 3",
            "# define foo(x) x",
            "struct foo {",
            "int Bar::foo() const {",
        ],
    );
    check(
        "a.c",
        "foo",
        Defines::No,
        &[
            "foo(x);",
            "    return foo(x);",
            "else foo(x)",
            "    int y = foo(x) {",
            "    bar_t foo(x);",
            "#define bar foo",
            "#definefoo",
            "if (foo(x)) {",
            "x = foo(y)",
        ],
    );
    check(
        "a.js",
        "foo",
        Defines::Yes,
        &[
            "function foo() {",
            "export default async function foo() {",
            "  foo(a, b) {",
            "const foo = 3",
        ],
    );
    check(
        "a.js",
        "foo",
        Defines::No,
        &["foo(() => {", "foo(a);", "  await foo(a) {", "foo = 3", "{ foo: 3 }"],
    );
    check(
        "a.rb",
        "foo",
        Defines::Yes,
        &["def self.foo(x)", "  def foo", "module foo"],
    );
    check("a.toml", "foo", Defines::Assigns, &["foo = 3"]);
    check(
        "a.yaml",
        "foo",
        Defines::Assigns,
        &["  foo: 3", "- foo: 3", "\"foo\": 3"],
    );
    check("a.json", "foo", Defines::Assigns, &["  \"foo\": [1]"]);
    check("a.json", "foo", Defines::No, &["\"bar\": \"foo: x\"", "// foo: 3"]);
}

#[test]
fn prose_is_not_code() {
    for path in ["a.md", "book.txt", "stdin"] {
        check(
            path,
            "warfare",
            Defines::No,
            &[
                "class warfare",
                "class warfare is",
                "type warfare: a",
                "let warfare, they say,",
                "the class warfare (old)",
                "data warfare = it",
                "warfare = war",
            ],
        );
        check(
            path,
            "foo",
            Defines::Announces,
            &["fn foo(x: u8) {", "class foo:", "let foo = 3"],
        );
    }
}

#[test]
fn declarations_and_examples_announce() {
    for (path, line) in [
        ("a.c", "int foo(int x);"),
        ("a.c", "void foo(int (*f)(int));"),
        ("a.c", "extern int foo;"),
        ("a.h", "struct foo;"),
        ("a.hpp", "class foo;"),
        ("a.hpp", "enum class foo : int;"),
        ("a.java", "    public foo(int x) {"),
        ("a.rs", "extern \"C\" fn foo(x: i32);"),
        ("a.ts", "declare function foo(x: string): void;"),
        ("a.ts", "export function foo(x: string): void;"),
        ("a.js", "const foo = require('foo');"),
        ("a.go", "package foo"),
        ("a.md", "fn foo() {"),
    ] {
        assert_eq!(found(line, path, "foo"), Defines::Announces, "{path}: {line}");
    }
}

#[test]
fn what_only_looks_like_a_definition() {
    for (path, line) in [
        ("a.rs", "pub use a::foo;"),
        ("a.rs", "let foo { a, b } = x;"),
        ("a.rs", "let foo(a) = x;"),
        ("a.rs", "if let foo(a) = x {"),
        ("a.rs", "extern crate foo;"),
        ("a.rs", "r#\"fn foo() {\"#"),
        ("a.rs", "x(\"\nfn foo() {\")"),
        ("a.py", "from a import foo"),
        ("a.py", "import foo as bar"),
        ("a.py", "# define foo 3"),
        ("a.py", "print('def foo():')"),
        ("a.py", "def bar(foo=3):"),
        ("a.sh", "#define foo"),
        ("a.sh", "foo -x"),
        ("a.c", "list_for_each(foo) {"),
        ("a.c", "    foo(x) {"),
        ("a.c", "struct foo *bar(int x) {"),
        ("a.c", "struct foo x = {"),
        ("a.c", "return foo;"),
        ("a.c", "goto foo;"),
        ("a.c", "foo = 3;"),
        ("a.c", "x->foo = 3;"),
        ("a.c", "#define foobar 3"),
        ("a.c", "#undef foo"),
        ("a.c", "    && foo(b)) {"),
        ("a.cpp", "const foo<int> x = 3;"),
        ("a.cpp", "static foo<T> make() {"),
        ("a.cpp", "using namespace foo;"),
        ("a.cpp", "    : foo(x) {"),
        ("a.cpp", "    , foo(x) {"),
        ("a.cpp", "friend class foo;"),
        ("a.cpp", "default: foo = 3;"),
        ("a.java", "import a.foo;"),
        ("a.java", "private final foo<T> x = y;"),
        ("a.java", "static foo[] x;"),
        ("a.java", "new foo(x) {"),
        ("a.java", "Bar x = new foo() {"),
        ("a.js", "class A extends foo(B) {"),
        ("a.js", "export default foo;"),
        ("a.js", "export { foo };"),
        ("a.ts", "  type foo,"),
        ("a.ts", "import type foo from 'x';"),
        ("a.ts", "  foo: string;"),
        ("a.ts", "import foo = require('x');"),
        ("a.go", "import foo \"x\""),
        ("a.rb", "attr_reader :foo"),
        ("a.rb", "require 'foo'"),
        ("a.sql", "INSERT INTO foo VALUES (1);"),
        ("a.sql", "-- CREATE TABLE foo (x);"),
        ("a.sql", "CREATE INDEX bar ON foo (x);"),
        ("a.toml", "x = \"foo = 3\""),
        ("a.yaml", "x: \"foo: 3\""),
        ("a.yaml", "x: foo"),
        ("a.yaml", "foo-bar: 3"),
        ("a.md", "import foo"),
        ("a.rs", "fn f\u{43e}o() {"),
        ("a.rs", "fn foo\u{200b}bar() {"),
        ("a.rs", "fn foo\u{301}() {"),
    ] {
        assert_eq!(found(line, path, "foo"), Defines::No, "{path}: {line}");
    }
}

#[test]
fn obvious_definitions_are_seen() {
    for (path, line) in [
        ("a.c", "static const int foo = 64;"),
        ("a.c", "int foo;"),
        ("a.c", "char foo[10];"),
        ("a.c", "unsigned long foo (int x)"),
        ("a.cpp", "template <typename T> class foo {"),
        ("a.cpp", "std::vector<int> foo(const T& x) {"),
        ("a.cpp", "    virtual int foo() const override {"),
        ("a.cpp", "enum class foo : int {"),
        ("a.java", "    public static final int foo = 64;"),
        ("a.java", "    public List<String> foo(int x) throws E {"),
        ("a.cs", "    public async Task<int> foo(int x) {"),
        ("a.ts", "export const foo: number = 3;"),
        ("a.ts", "export type foo = 'a' | 'b';"),
        ("a.ts", "export default class foo<T> extends B {"),
        ("a.ts", "  private async foo(x) {"),
        ("a.ts", "  static foo(x: string): void {"),
        ("a.sh", "foo() {"),
        ("a.sql", "CREATE TABLE IF NOT EXISTS public.foo (x INT);"),
        ("a.sql", "create or replace function foo(x int)"),
        ("a.rs", "const foo: [u8; 2] = [1, 2];"),
        ("a.kt", "    private suspend fun foo(x: Int): Int {"),
        ("a.swift", "let foo: Int = 3"),
    ] {
        assert_eq!(found(line, path, "foo"), Defines::Yes, "{path}: {line}");
    }
    for (path, line) in [
        ("a.sh", "export foo=3"),
        ("a.lua", "local foo = 3"),
        ("a.php", "$foo = 3;"),
    ] {
        assert_eq!(found(line, path, "foo"), Defines::Assigns, "{path}: {line}");
    }
}
