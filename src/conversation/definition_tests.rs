use super::*;

fn check(path: &str, name: &str, expected: Defines, lines: &[&str]) {
    for line in lines {
        assert_eq!(defines(line, path, name), expected, "{path}: {line}");
    }
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
            "extern \"C\" fn foo(x: i32);",
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
            "void foo(int (*f)(int));",
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
            Defines::Yes,
            &["fn foo(x: u8) {", "class foo:", "let foo = 3"],
        );
    }
}
