// Written by `waystation connect opencode`; `waystation connect opencode --undo` takes it away.
import { spawn } from "node:child_process"

const commands = $commands

// What the hook says at an event; nothing where it fails or takes too long, for it must never be in the way.
function ask(event, sessionID) {
  return new Promise((resolve) => {
    const [program, ...words] = commands[event]
    const child = spawn(program, words, { stdio: ["pipe", "pipe", "ignore"], timeout: 5000 })
    let said = ""
    child.stdout.on("data", (data) => (said += data))
    child.on("error", () => resolve(""))
    child.on("close", () => resolve(said.trim()))
    child.stdin.on("error", () => {})
    child.stdin.end(JSON.stringify({ session_id: sessionID }))
  })
}

export const Waystation = async ({ client }) => ({
  "chat.message": async (input, output) => {
    const text = output.parts.find((part) => part.type === "text")
    const notice = text && (await ask("prompt", input.sessionID))
    if (notice) text.text += "\n\n" + notice
  },
  event: async ({ event }) => {
    if (event.type !== "session.idle") return
    const id = event.properties.sessionID
    const session = await client.session.get({ path: { id } })
    if (session.data?.parentID) return
    const notice = await ask("stop", id)
    if (notice) await client.session.promptAsync({ path: { id }, body: { parts: [{ type: "text", text: notice }] } })
  },
})
