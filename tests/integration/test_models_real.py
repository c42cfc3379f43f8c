"""The real packs: pulled, checked, converted, and as good as their authors say."""

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from transformers import AutoModelForCausalLM, AutoTokenizer

from core.settings import Settings, read_settings
from models.pull import pull_one
from models.store import find_fault
from models.weights import weights_dir

pytestmark = pytest.mark.real

# First five numbers of the vector of "query: 水泵的額定壓力是多少" made with this pack; another pooling, prompt or tokenizer changes them.
CANONICAL = [0.03686, -0.009862, -0.074188, -0.062097, 0.076571]


@pytest.fixture(scope="module")
def settings() -> Settings:
    return read_settings()


@pytest.fixture(scope="module")
def embedder(settings: Settings) -> SentenceTransformer:
    pull_one("multilingual-e5-small", settings)
    return SentenceTransformer(str(weights_dir("multilingual-e5-small", settings)), device="cpu", local_files_only=True)


def test_the_vector_of_a_question_is_the_known_one(embedder: SentenceTransformer) -> None:
    vector = embedder.encode_query("水泵的額定壓力是多少")
    assert vector.shape == (384,)
    assert float(np.linalg.norm(vector)) == pytest.approx(1, abs=1e-5)
    assert vector[:5] == pytest.approx(CANONICAL, abs=2e-4)


@pytest.mark.parametrize(
    ("questions", "passages"),
    [
        (
            ["What is the rated pressure of the pump?", "Where is the head office of TSMC?", "How long does a total eclipse last?"],
            ["水泵的額定工作壓力為 6.5 巴。", "台灣積體電路製造公司總部位於新竹科學園區。", "日全食最長約七分半鐘。"],
        ),
        (
            ["水泵的額定壓力是多少?", "台積電的總部在哪裡?", "日全食最長多久?"],
            [
                "The rated working pressure of the pump is 6.5 bar.",
                "TSMC has its head office in the Hsinchu Science Park.",
                "A total solar eclipse lasts at most 7.5 minutes.",
            ],
        ),
    ],
)
def test_the_passage_with_the_answer_is_nearest_across_languages(
    embedder: SentenceTransformer, questions: list[str], passages: list[str]
) -> None:
    cosines = embedder.encode_query(questions) @ embedder.encode_document(passages).T  # (3, 3)
    assert cosines.argmax(axis=1).tolist() == [0, 1, 2]


def test_the_tokenizer_knows_both_scripts(embedder: SentenceTransformer) -> None:
    tokens = embedder.tokenizer.tokenize("範圍1～5，ＡＢＣ　全形")
    assert "<unk>" not in tokens
    assert {"～", "ABC"} <= set(tokens)


@pytest.fixture(scope="module")
def small(settings: Settings) -> str:
    folder = pull_one("smollm2-135m-instruct", settings)
    assert find_fault(folder) == ""
    return str(folder)


def test_the_small_generator_knows_a_capital(small: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(small, local_files_only=True)
    model = AutoModelForCausalLM.from_pretrained(small, dtype=torch.float32, local_files_only=True).eval()
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": "What is the capital of France?"}], tokenize=False, add_generation_prompt=True
    )
    inputs = tokenizer(text, return_tensors="pt")
    with torch.no_grad():
        made = model.generate(**inputs, max_new_tokens=24, do_sample=False)
    answer = tokenizer.decode(made[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    assert "Paris" in answer
    assert tokenizer.eos_token == "<|im_end|>"


def test_a_second_pull_changes_nothing(settings: Settings, small: str) -> None:
    folder = pull_one("smollm2-135m-instruct", settings)
    assert str(folder) == small
