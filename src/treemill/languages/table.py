"""The table of languages, in text: names, suffixes, file names, interpreters, grammars, by delimiter family.

A row is a language's name and words of four forms: `.py` is the end of a file's name, `=Makefile` a whole name,
`!python` an interpreter of a shebang line, `@tree_sitter_python` a grammar (`@module:function` where the function
that hands it out is not called `language`). `+` continues the row above. The heading of a group is its delimiter
family: `treemill.chunking.families` says what divides a file of that family.

A name's end belongs to one language only. Where several languages share it, the commonest in public code has it:
`.h` C, `.m` Objective-C, `.pl` Perl, `.t` Perl's tests, `.v` Verilog, `.ts` TypeScript, `.cls` Apex, `.fs` F#,
`.pro` qmake, `.d` D. What the name leaves open, a shebang may tell.
"""

from __future__ import annotations

TABLE = """
[brace]
c @tree_sitter_c .c .h .xpm .xbm !tcc
cpp @tree_sitter_cpp .cpp .cc .C .H .cxx .c++ .hpp .hh .hxx .h++ .ipp .inl .tpp .tcc .txx .ixx .cppm .ino
csharp @tree_sitter_c_sharp .cs .csx .cake !dotnet-script
css @tree_sitter_css .css
go @tree_sitter_go .go
java @tree_sitter_java .java .jav !java
javascript @tree_sitter_javascript .js .mjs .cjs .jsx .es6 .jsm =Jakefile !node !nodejs !rhino !gjs !qjs
typescript @tree_sitter_typescript:language_typescript .ts .mts .cts !ts-node !tsx !deno !bun
tsx @tree_sitter_typescript:language_tsx .tsx
kotlin @tree_sitter_kotlin .kt .kts !kotlin
php @tree_sitter_php:language_php .php .phtml .php3 .php4 .php5 .php7 .phps .phpt !php
rust @tree_sitter_rust .rs !rust-script
scala @tree_sitter_scala .scala .sc .sbt !scala !amm !scala-cli
swift @tree_sitter_swift .swift !swift
zig @tree_sitter_zig .zig .zon
bash @tree_sitter_bash .sh .bash .zsh .ksh .bats .ebuild .eclass !sh !bash !zsh !ksh !mksh !dash !ash !bats
+ =.bashrc =.bash_profile =.bash_aliases =.bash_logout =.profile =.zshrc =.zshenv =.zprofile =PKGBUILD =APKBUILD
actionscript .as
angelscript .angelscript
antlr .g4
apex .cls .trigger .apex
autohotkey .ahk
avro-idl .avdl
awk .awk .gawk .mawk !awk !gawk !mawk !nawk
ballerina .bal
bicep .bicep .bicepparam
bpftrace .bt !bpftrace
capnproto .capnp
ceylon .ceylon
chapel .chpl
cuda .cu .cuh
cue .cue
d .d .di !rdmd
dart .dart !dart
flatbuffers .fbs
gdshader .gdshader .gdshaderinc
gleam .gleam
glsl .glsl .vert .frag .geom .comp .tesc .tese .vsh .fsh
gn .gn .gni
grain .gr
graphql .graphql .gql .graphqls
groovy .groovy .gvy .gradle .gsh =Jenkinsfile !groovy
haxe .hx
hcl .hcl .tf .tfvars .nomad .tofu
hlsl .hlsl .hlsli .fx .fxh .usf .ush
idl .idl .aidl .webidl .midl
jsonnet .jsonnet .libsonnet
less .less
lex .l .lex
linker-script .ld .lds
metal .metal
move .move
nginx .nginx .nginxconf =nginx.conf
nix .nix
objective-c .m
objective-cpp .mm
odin .odin
opencl .cl
openscad .scad
p4 .p4
perl .pl .pm .t .psgi .pmc =cpanfile =Makefile.PL !perl !cperl
powershell .ps1 .psm1 .psd1 !pwsh !powershell
processing .pde
protobuf .proto
puppet .pp
qml .qml
r .r .rprofile =.Rprofile !Rscript !r
raku .raku .rakumod .rakutest .p6 .pm6 !raku !rakudo !perl6
reason .re .rei
rego .rego
rescript .res .resi
scss .scss
shaderlab .shader .cginc
smithy .smithy
solidity .sol
squirrel .nut
stan .stan
supercollider .scd !sclang
systemtap .stp
tcl .tcl .tm .exp !tclsh !wish !expect
thrift .thrift
unrealscript .uc
vala .vala .vapi
wgsl .wgsl
wit .wit
xtend .xtend
yacc .y .yy .ypp .yacc

[end]
elixir @tree_sitter_elixir .ex .exs =mix.lock !elixir
julia @tree_sitter_julia .jl !julia
lua @tree_sitter_lua .lua .rockspec .luau =.luacheckrc !lua !luajit !luau
ruby @tree_sitter_ruby .rb .rake .gemspec .ru .rbi .podspec .thor .jbuilder .builder
+ =Rakefile =Gemfile =Vagrantfile =Podfile =Brewfile =Guardfile =Fastfile =Capfile =Berksfile !ruby !jruby !macruby
ada .adb .ads .ada
applescript .applescript !osascript
autoit .au3
crystal .cr !crystal
csh .csh .tcsh .cshrc =.cshrc =.tcshrc !csh !tcsh
eiffel .e
fish .fish !fish
fortran .f90 .f95 .f03 .f08 .f .for .f77 .ftn .fpp
freebasic .bi
matlab .matlab !octave
modula-3 .i3 .m3
oberon .ob2
pascal .pas .dpr .lpr .dfm .lfm .dpk !instantfpc
plsql .pls .plb .pks .pkb .plsql .pck
pony .pony
sas .sas
systemverilog .sv .svh .svi
vbscript .vbs
verilog .v .vh .veo
vhdl .vhd .vhdl .vho
vim .vim .vimrc =.vimrc =_vimrc =.gvimrc =.exrc !vim !nvim
visual-basic .vb .bas .frm .vba

[indent]
python @tree_sitter_python .py .pyi .pyw .py3 .wsgi .gyp .gypi .sage .pyt .xsh
+ =SConstruct =SConscript =wscript !python !pypy !pythonw !ipython !micropython !uv !xonsh
yaml @tree_sitter_yaml .yml .yaml .cff .sublime-syntax =.clang-format =.clang-tidy =.clangd
bazel .bzl .bazel .star .starlark =BUILD =WORKSPACE =MODULE.bazel =Tiltfile =BUCK
boo .boo
coffeescript .coffee .litcoffee .cson .iced =Cakefile !coffee
cython .pyx .pxd .pxi
gdscript .gd
haml .haml
livescript .ls =Slakefile !lsc
mojo .mojo
moonscript .moon !moon
nim .nim .nims .nimble !nim !nimrun
pug .pug .jade
sass .sass
slim .slim
snakemake .smk =Snakefile
stylus .styl

[lisp]
clojure .clj .cljs .cljc .edn .cljd .boot !clojure !clj !bb !planck
common-lisp .lisp .lsp .asd !sbcl !clisp !ecl !ccl !lisp
elisp .el =.emacs =_emacs =.spacemacs =Cask !emacs
fennel .fnl !fennel
hy .hy !hy
janet .janet !janet
lfe .lfe !lfe
newlisp .nl !newlisp
picolisp .pil !pil
racket .rkt .rktd .rktl .scrbl !racket
scheme .scm .ss .sld .sls .sps !guile !chicken !csi !gosh !chezscheme !gsi !scheme
webassembly-text .wat .wast
yuck .yuck

[ml]
haskell @tree_sitter_haskell .hs .lhs .hsc .hs-boot !runhaskell !runghc
ocaml @tree_sitter_ocaml:language_ocaml .ml .mll .mly .eliom !ocaml !ocamlrun !ocamlscript
ocaml-interface @tree_sitter_ocaml:language_ocaml_interface .mli .eliomi
agda .agda .lagda
coq .coq
dhall .dhall
elm .elm
fsharp .fs .fsi .fsx .fsscript
idris .idr .lidr
isabelle .thy
lean .lean
purescript .purs
roc .roc
sml .sml .sig .fun
tla .tla
unison .u

[clause]
datalog .dl
erlang .erl .hrl .escript .xrl .yrl .app.src =rebar.config =Emakefile !escript
logtalk .lgt .logtalk
mercury .mercury .moo
prolog .prolog .plg .plt .yap !swipl !yap !gprolog !prolog

[assembly]
assembly .asm .s .nasm .a51
llvm-ir .ll
ptx .ptx
smali .smali

[markup]
markdown @tree_sitter_markdown .md .markdown .mdown .mkd .mkdn .mdwn .livemd .ronn =contents.lr
asciidoc .adoc .asciidoc .asc
latex .tex .sty .ltx .dtx .ins .latex .lyx
mdx .mdx
mediawiki .mediawiki .wiki
org .org .org_archive
pod .pod .rakudoc
rmarkdown .rmd .qmd
roff .1 .2 .3 .4 .5 .6 .7 .8 .man .roff .mdoc .me .ms
rst .rst .rest
texinfo .texi .texinfo
textile .textile
typst .typ

[text]
text .txt .text =README =LICENSE =COPYING =INSTALL =NEWS =AUTHORS =CHANGES =CHANGELOG =NOTICE =TODO =THANKS
bibtex .bib
gettext .po .pot
http .http .rest-client
icalendar .ics .vcf
ledger .ledger .journal .beancount
ldif .ldif
subtitles .srt .vtt
sparql .rq .sparql
turtle .ttl .n3 .trig

[template]
html @tree_sitter_html .html .htm .xhtml
angular-html .component.html
aspx .aspx .ascx .asax .ashx .asmx .master
astro .astro
blade .blade.php
coldfusion .cfm .cfml .cfc
eex .eex .heex .leex
ejs .ejs
erb .erb .rhtml
freemarker .ftl .ftlh
handlebars .hbs .handlebars .mustache .hjs
jinja .j2 .jinja .jinja2 .njk
jsp .jsp .jspx .jspf .tld
liquid .liquid
mako .mako
marko .marko
qt-ui .ui
razor .cshtml .razor .vbhtml
riot .riot
smarty .tpl
svelte .svelte
twig .twig
velocity .vm .vtl
vue .vue
xaml .xaml .axaml
xml .xml .xsd .svg .plist .rss .atom .wsdl .xul .kml .gpx .dita .ditamap .resx .xlf .xliff .storyboard .xib
+ .csproj .vbproj .fsproj .vcxproj .props .targets .nuspec .pom .iml .rdf .owl .qrc .ditaval .glade .wxs .launch
xslt .xsl .xslt

[section]
toml @tree_sitter_toml .toml =Cargo.lock =poetry.lock =uv.lock =Pipfile =Gopkg.lock =pdm.lock
desktop-entry .desktop .directory
editorconfig .editorconfig =.editorconfig
git-config .gitconfig =.gitconfig =.gitmodules
ini .ini .cfg .conf .cnf .inf .prefs .pylintrc =.flake8 =.coveragerc =.pylintrc =.npmrc =.pypirc =.hgrc =pylintrc
registry .reg
robot-framework .robot .resource
systemd .service .socket .timer .target .mount .automount .slice .network .netdev .container .quadlet

[rule]
just .just =justfile =Justfile =.justfile !just
makefile .mk .mak .make =Makefile =makefile =GNUmakefile =Kbuild =Makefile.am =Makefile.in !make
ninja .ninja

[command]
sql @tree_sitter_sql .sql .ddl .dml .psql .mysql .cql .tsql .prc .udf .viw
apache .htaccess =.htaccess =httpd.conf =apache2.conf
bitbake .bb .bbappend .bbclass
batch .bat .cmd
caddyfile .caddyfile =Caddyfile
cmake .cmake =CMakeLists.txt
cobol .cob .cbl .cobol .cpy
abap .abap
dockerfile .dockerfile .containerfile =Dockerfile =Containerfile
earthfile =Earthfile
gherkin .feature
gnuplot .gp .gnuplot .gnu !gnuplot
kconfig .kconfig =Kconfig
maple .mpl
mathematica .wl .wls .mathematica !wolframscript !wolfram
meson =meson.build =meson.options =meson_options.txt
mermaid .mmd .mermaid
plantuml .puml .plantuml .iuml .pu
graphviz .dot .gv
qmake .pro .pri .prf
rpm-spec .spec
stata .do .ado

[diff]
diff .diff .patch .rej

[json]
json @tree_sitter_json .json .jsonc .geojson .webmanifest .topojson .har .avsc .tfstate .jsonld .code-workspace .ipynb
+ .mcmeta .json-tmlanguage =.babelrc =.eslintrc =.jshintrc =.jslintrc =.prettierrc =.watchmanconfig =.swcrc
+ =composer.lock =Pipfile.lock =flake.lock =deno.lock =.arcconfig =.all-contributorsrc =.jscsrc =.nycrc
json5 .json5 .hjson
json-lines .jsonl .ndjson

[line]
codeowners =CODEOWNERS
csv .csv
dotenv .env =.env =.env.local =.env.example =.flaskenv
gitattributes .gitattributes =.gitattributes
go-checksums =go.sum
go-module =go.mod =go.work
ignore-list .gitignore =.gitignore =.dockerignore =.npmignore =.hgignore =.eslintignore =.prettierignore =.ignore
log .log
pip-requirements =requirements.txt =constraints.txt =requirements-dev.txt =dev-requirements.txt =requirements.in
procfile .procfile =Procfile
properties .properties
robots =robots.txt
tsv .tsv .tab
"""
