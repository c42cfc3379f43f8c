// Ask, show the draft as it is written, then the answer with its quotes. Everything from outside is set as text, never as markup.

const by = (id) => document.getElementById(id);
const REASONS = {
  no_hits: "沒有找到任何段落 · no passage was found",
  insufficient_evidence: "文件裡的依據不足 · the documents do not say enough",
  model_declined: "模型在段落裡找不到答案 · the model found no answer in the passages",
  generator_unavailable: "模型未啟動,以引文回答 · the model is away: quotes instead",
  generator_timeout: "模型太忙,以引文回答 · the model is too slow: quotes instead",
};
let running = null;

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function place(item) {
  const pages = item.page_first === item.page_last ? `${item.page_first}` : `${item.page_first}–${item.page_last}`;
  const path = [item.title, ...item.headings].filter((part, at, all) => part && all.indexOf(part) === at).join(" › ");
  return `${item.source} · 第 ${pages} 頁 p. ${pages}${path ? " · " + path : ""}`;
}

function showQuotes(answer) {
  const seen = new Set();
  const items = answer.citations.filter((c) => !seen.has(c.quote_start + c.passage_id) && seen.add(c.quote_start + c.passage_id));
  by("quotes").replaceChildren(...items.map((c, at) => {
    const item = element("li");
    if (!items.slice(0, at).some((earlier) => earlier.marker === c.marker)) item.id = `quote-${c.marker}`;
    item.append(element("blockquote", c.quote), element("div", `[${c.marker}] ${place(c)}`, "where"));
    return item;
  }));
  by("quotes-part").hidden = items.length === 0;
}

function showHits(hits) {
  by("hits").replaceChildren(...hits.map((h) => {
    const item = element("li");
    item.append(element("blockquote", h.text), element("div", `${h.rank}. ${place(h)}`, "where"));
    return item;
  }));
  by("hit-count").textContent = String(hits.length);
  by("hits-part").hidden = hits.length === 0;
}

// Offsets count characters (code points), so the text is taken apart as such.
function showAnswer(answer) {
  const characters = Array.from(answer.answer);
  const doubtful = answer.unsupported.map((u) => [u.answer_start, u.answer_end]);
  const markers = new Set(answer.citations.map((c) => c.marker));
  const parts = [];
  const isDoubtful = (at) => doubtful.some(([start, end]) => start <= at && at < end);
  for (let at = 0; at < characters.length;) {
    const found = /^\[(\d{1,3})\]/.exec(characters.slice(at, at + 5).join(""));
    if (found && markers.has(Number(found[1]))) {
      const link = element("a", found[0], "mark");
      link.href = `#quote-${found[1]}`;
      parts.push(link);
      at += found[0].length;
      continue;
    }
    const doubt = isDoubtful(at);
    let end = at + 1;
    while (end < characters.length && characters[end] !== "[" && isDoubtful(end) === doubt) end += 1;
    const piece = element("span", characters.slice(at, end).join(""), doubt ? "doubt" : "");
    if (doubt) piece.title = "沒有引文支持 · no quote supports this";
    parts.push(piece);
    at = end;
  }
  by("answer").replaceChildren(...parts);
  by("badge").textContent = answer.status === "no_evidence" ? "文件中沒有 · not in the documents"
    : answer.mode === "generated" ? `模型撰寫並逐句查核 · written by ${answer.model}, checked` : "引文 · quotes";
  by("note").textContent = answer.reason ? REASONS[answer.reason] ?? answer.reason : "";
  by("times").textContent = `搜尋 search ${Math.round(answer.timings.embed_ms + answer.timings.search_ms)} ms · 全部 total ${(answer.timings.total_ms / 1000).toFixed(2)} s · generation ${answer.generation}`;
  showQuotes(answer);
  showHits(answer.hits);
}

function showError(text) {
  by("result").hidden = false;
  by("answer").replaceChildren(element("span", text, "error"));
  by("badge").textContent = "錯誤 · error";
}

function handle(name, data) {
  if (name === "hits") showHits(data.hits);
  else if (name === "token") by("answer").append(data.text);
  else if (name === "answer") showAnswer(data);
  else if (name === "error") showError(data.detail ?? data.title);
}

async function readEvents(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let ended = false;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const name = /^event: (.*)$/m.exec(block)?.[1];
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (!name) continue;
      ended = ended || name === "done" || name === "error";
      handle(name, JSON.parse(data || "null"));
    }
  }
  if (!ended) showError("連線中斷 · the connection broke");
}

async function ask(event) {
  event.preventDefault();
  const question = by("question").value.trim();
  if (!question || running) return;
  running = new AbortController();
  by("send").disabled = true;
  by("stop").hidden = false;
  by("result").hidden = false;
  for (const id of ["answer", "quotes", "hits"]) by(id).replaceChildren();
  for (const id of ["note", "times"]) by(id).textContent = "";
  for (const id of ["quotes-part", "hits-part"]) by(id).hidden = true;
  by("badge").textContent = "搜尋中 · searching";
  try {
    const body = { question, collection: by("collection").value || "default", mode: by("mode").value, stream: true };
    const response = await fetch("/ask", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal: running.signal,
    });
    if (response.ok) await readEvents(response);
    else showError((await response.json()).detail);
  } catch (error) {
    showError(error.name === "AbortError" ? "已停止 · stopped" : "連不上服務 · the service cannot be reached");
  } finally {
    running = null;
    by("send").disabled = false;
    by("stop").hidden = true;
  }
}

async function showState() {
  try {
    const state = await (await fetch("/ready")).json();
    const generator = { ready: "模型就緒 · model ready", starting: "模型載入中 · model starting", down: "模型未啟動 · model away" }[state.generator.status];
    by("state").textContent = state.index.status === "ready" ? generator : "還沒有文件 · nothing is indexed yet";
    const names = Object.keys(state.index.collections);
    const chosen = by("collection").value;
    if (names.join() !== Array.from(by("collection").options, (o) => o.value).join()) {
      by("collection").replaceChildren(...names.map((name) => new Option(name, name, false, name === (chosen || "default"))));
    }
  } catch {
    by("state").textContent = "連不上服務 · the service cannot be reached";
  }
}

by("ask").addEventListener("submit", ask);
by("stop").addEventListener("click", () => running?.abort());
by("question").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) ask(event);
});
showState();
setInterval(showState, 3000);
