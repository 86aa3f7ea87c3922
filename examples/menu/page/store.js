/** One store: what the API has fetched, and the basket, which is the customer's own. */
import { configureStore, createSlice } from "@reduxjs/toolkit"

export const basket = createSlice({
  name: "basket",
  initialState: [],
  reducers: {
    added: (items, { payload }) => {
      items.push(payload)
    }
  }
})

export const makeStore = (api) =>
  configureStore({
    reducer: { [api.reducerPath]: api.reducer, basket: basket.reducer },
    middleware: (standard) => standard().concat(api.middleware)
  })
