import { dkls } from "@lockkeeper/protocols"
import { serveTasks } from "./serve-tasks.ts"

serveTasks(dkls.work)
