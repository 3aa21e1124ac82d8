import type { Network } from "@lockkeeper/client"
import type { Identifier } from "@lockkeeper/crypto"
import type { World } from "../world/world.ts"
import type { Dice } from "./plan.ts"

/** Out of 1000 frames, those at which something dies. */
const DEADLY = 60

/**
 * What a coordinator reaches servers by, where whoever is asked, or who asks, may die at any frame: with
 * what it has not written, and before or after the very commit that the frame asks for.
 *
 * @param end - ends the coordinator.
 * @param isOver - whether nothing dies any more.
 */
export function perilousNetwork(
  network: Network,
  { world, dice, isOver }: { world: World; dice: Dice; isOver: () => boolean },
  end: () => void,
): Network {
  const onFrame = (server: Identifier): void => {
    if (isOver() || dice.below(1000) >= DEADLY) return
    const what = dice.weighted({ kill: 2, before: 3, after: 3, coordinator: 2 })
    if (what === "kill") world.kill(server)
    else if (what === "coordinator") end()
    else world.disk(server).crash(what)
  }
  return {
    connect: (member) => {
      const link = network.connect(member)
      return {
        ...link,
        call: (frame, signal) => {
          onFrame(member.identifier)
          return link.call(frame, signal)
        },
      }
    },
  }
}
