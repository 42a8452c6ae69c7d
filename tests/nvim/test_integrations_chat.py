"""Chat plugins, with real checkouts: what their own code does with our tools. Only the language model is left out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from driving import clean_log, index
from harness import Child, StartNeovim
from plugins import needs, on_runtimepath, snippet
from sharing import shared_sandbox
from support import make_shop

sandbox = shared_sandbox()

BUDGET = 300


def with_budget(tag: str) -> str:
    """The manual's snippet, with a small budget."""
    return (
        snippet(tag)
        .replace("budget = 2000", f"budget = {BUDGET}")
        .replace(".tool()", f".tool({{ budget = {BUDGET} }})")
    )


CODECOMPANION = (
    with_budget("auto_context-codecompanion")
    + """
    vim.env.OPENAI_API_KEY = 'none'
    require('codecompanion.config').interactions.chat.adapter = 'openai'
    -- The model, which is outside this machine: it never answers.
    local methods = require('codecompanion.http').static.methods
    local function silent() return { args = {}, shutdown = function() end } end
    methods.get.default, methods.post.default = silent, silent
    _G.chat = require('codecompanion').chat()
"""
)
CALL = """
    local arguments = vim.json.encode(...)
    local called = { name = 'auto_context_search', arguments = arguments }
    _G.chat.tools:execute(_G.chat, { { id = 'call_1', type = 'function', ['function'] = called } })
"""
MESSAGES = """
    return vim.tbl_map(function(message)
      return { role = message.role, content = message.content or '' }
    end, _G.chat.messages)
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, sandbox: dict[str, str]) -> Path:  # noqa: ARG001 - its order
    folder = make_shop(tmp_path_factory.mktemp("chat") / "shop")
    index(folder)
    return folder


@pytest.fixture
def start(start_nvim: StartNeovim, shop: Path) -> Iterator[Any]:
    children: list[Child] = []

    def run(*plugins: str) -> Child:
        if start_nvim(cwd=shop).lua("return vim.fn.has('nvim-0.11')") == 0:
            pytest.skip(f"not tested: {plugins[0]} needs Neovim 0.11")
        child = start_nvim(cwd=shop, width=120, height=30, commands=on_runtimepath(*plugins))
        children.append(child)
        return child

    yield run
    for child in children:
        clean_log(child)


def contents(child: Child, role: str) -> list[str]:
    return [message["content"] for message in child.lua(MESSAGES) if message["role"] == role]


def is_answer(text: str) -> bool:
    return "### src/uploads.py:" in text and "class RetryPolicy" in text and len(text) <= 4 * BUDGET


@needs("codecompanion.nvim", "plenary.nvim")
def test_codecompanion_runs_the_tool_and_the_model_gets_snippets(start: Any) -> None:
    child: Child = start("codecompanion.nvim", "plenary.nvim")
    child.lua(CODECOMPANION)
    child.lua(CALL, {"query": "RetryPolicy"})
    child.wait_for(lambda: any(is_answer(text) for text in contents(child, "tool")), timeout_s=60)
    child.lua(CALL, {"query": ""})
    child.wait_for(lambda: any("`query` is missing" in text for text in contents(child, "tool")))


@needs("codecompanion.nvim", "plenary.nvim")
def test_codecompanion_finds_the_tool_and_the_editor_context_in_a_message(start: Any) -> None:
    child: Child = start("codecompanion.nvim", "plenary.nvim")
    child.command("edit +25 src/uploads.py")
    child.lua(CODECOMPANION)
    child.lua("""
        local content = 'Use @{auto_context_search} on #{auto_context} please'
        _G.chat:add_buf_message({ role = 'user', content = content })
        _G.chat:submit()
    """)
    assert child.lua("return _G.chat.tool_registry.in_use.auto_context_search") is True
    schema = child.lua("return _G.chat.tool_registry.schemas['<tool>auto_context_search</tool>']")["function"]
    assert schema["parameters"]["required"] == ["query"]
    told = contents(child, "user")
    assert any("Code that belongs to src/uploads.py:25" in text and "(here)" in text for text in told), told


@needs("codecompanion.nvim", "plenary.nvim")
def test_codecompanions_slash_command_adds_what_is_found_to_the_chat(start: Any) -> None:
    child: Child = start("codecompanion.nvim", "plenary.nvim")
    child.lua(CODECOMPANION)
    child.lua("""
        vim.ui.input = function(_, done) done('RetryPolicy') end
        local entry = require('codecompanion.config').interactions.chat.slash_commands.auto_context
        local commands = require('codecompanion.interactions.chat.slash_commands')
        commands.run({ label = 'auto_context', config = entry }, _G.chat)
    """)
    child.wait_for(lambda: any(is_answer(text) for text in contents(child, "user")), timeout_s=60)
    assert child.lua("return #_G.chat.context_items") == 1


COPILOT = (
    with_budget("auto_context-copilot-chat")
    + """
    local prompts = require('CopilotChat.prompts')
    local config = require('CopilotChat.config')
    local given = ...
    require('plenary.async').run(function()
      if type(given) == 'table' then
        local source = { bufnr = vim.api.nvim_get_current_buf(), cwd = function() return '.' end }
        _G.told = prompts.format_tool_output(prompts.execute_tool_call('auto_context', given, config, source))
      else
        require('CopilotChat.utils').schedule_main()
        require('CopilotChat').open()
        local resources, _, prompt = prompts.resolve_functions(given, config)
        _G.told, _G.uri, _G.prompt = resources[1].data, resources[1].uri, prompt
      end
    end, function() end)
"""
)


@needs("CopilotChat.nvim", "plenary.nvim")
def test_copilot_chat_runs_the_function_for_the_model(start: Any) -> None:
    child: Child = start("CopilotChat.nvim", "plenary.nvim")
    child.lua(COPILOT, {"query": "RetryPolicy", "path": ""})
    assert is_answer(child.wait_for(lambda: child.lua("return _G.told"), timeout_s=60))
    child.lua("""
        local config = require('CopilotChat.config')
        require('plenary.async').run(function()
          local tools = require('CopilotChat.prompts').resolve_tools('@auto_context where', config)
          _G.names = vim.tbl_map(function(tool) return { tool.name, tool.schema.required } end, tools)
        end, function() end)
    """)
    names = child.wait_for(lambda: child.lua("return _G.names"))
    assert names == [["auto_context", ["query"]]]


@needs("CopilotChat.nvim", "plenary.nvim")
def test_copilot_chat_resolves_a_query_in_a_prompt(start: Any) -> None:
    child: Child = start("CopilotChat.nvim", "plenary.nvim")
    child.lua(COPILOT, "Explain #auto_context:`retry policy` to me")
    assert "### src/uploads.py:" in child.wait_for(lambda: child.lua("return _G.told"), timeout_s=60)
    assert child.lua("return _G.uri") == "auto_context://retry policy"


AVANTE = (
    # Its setup() without its windows and its native library, which no tool needs.
    with_budget("auto_context-avante").replace("require('avante')", "require('avante.config')")
    + """
    local tools = require('avante.llm_tools').get_tools('', {})
    local use = { id = 'call_1', name = 'auto_context_search', input = ... }
    require('avante.llm_tools').process_tool_use(tools, use, {
      session_ctx = {},
      on_complete = function(result, error) _G.told = { result or vim.NIL, error or vim.NIL } end,
    })
    """
)


@needs("avante.nvim", "plenary.nvim")
def test_avante_runs_the_tool_for_the_model(start: Any) -> None:
    child: Child = start("avante.nvim", "plenary.nvim")
    child.lua(AVANTE, {"query": "RetryPolicy"})
    result, error = child.wait_for(lambda: child.lua("return _G.told"), timeout_s=60)
    assert error is None
    assert is_answer(result)
    child.lua("_G.told = nil")
    child.lua(AVANTE, {"query": None})
    result, error = child.wait_for(lambda: child.lua("return _G.told"))
    assert result is None
    assert "`query` is missing" in error
