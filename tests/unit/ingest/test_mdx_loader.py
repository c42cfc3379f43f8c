"""MDX is read without its program parts."""

from ingest.loaders import mdx

SOURCE = """import { Tip } from '../components'
import Chart from "./chart"
export const meta = {
  title: 'x',
}

# Pipelines[[pipelines]]

<CourseFloatingBanner chapter={1}
  notebooks={[
    {label: "Colab", value: "https://x.y/a>b"},
]} />

{/* a comment
for writers */}

<Tip warning={true}>

The tip is worth reading.

</Tip>

<Youtube id="abc"/>

{#if fw === 'pt'}
Only for one framework.
{/if}

Use a <mask> token, and `<Tip>` in code.

```js
import { pipeline } from 'x'
export const a = 1
<Component />
```

import matters are discussed here; export too.
"""


def test_what_a_reader_of_the_page_sees_is_kept() -> None:
    parsed = mdx.load(SOURCE.encode())
    kept = [parsed.text[b.start : b.end] for b in parsed.blocks]
    assert kept == [
        "# Pipelines",
        "The tip is worth reading.",
        "Only for one framework.",
        "Use a <mask> token, and `<Tip>` in code.",
        "```js\nimport { pipeline } from 'x'\nexport const a = 1\n<Component />\n```",
        "import matters are discussed here; export too.",
    ]


def test_the_title_has_no_anchor() -> None:
    assert mdx.load(SOURCE.encode()).title == "Pipelines"


def test_an_unfinished_component_does_not_swallow_the_page() -> None:
    parsed = mdx.load(b"# A\n\n<Broken x={1\n\nStill here.\n\n{/* open\n\nAnd here.")
    assert "Still here." in parsed.text
    assert "And here." in parsed.text
